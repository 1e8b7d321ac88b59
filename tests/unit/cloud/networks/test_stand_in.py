"""The float32 network beside an int8 one: loaded when a frame of it comes, and only then."""

from __future__ import annotations

import asyncio
from dataclasses import replace
from typing import TYPE_CHECKING

import pytest
from kits.numpy_network import int8_entry, network_of, write_bundle
from prometheus_client import Gauge

from cloud.access.refusals import UnknownModelError
from cloud.batching.tails import Tails
from cloud.networks.files import BundleFiles
from cloud.networks.network import LoadedNetwork
from cloud.networks.networks import Networks
from cloud.networks.stand_in import PAUSE_S, StandIn
from cloud.networks.usage import Usage
from shared.errors import FingerprintError, ModelError, UnavailableError
from shared.network.bundle import float_of, read_bundle
from shared.network.manifest import MANIFEST
from shared.observing.counting.counter import Counter

if TYPE_CHECKING:
    from pathlib import Path

    from shared.network.bundle import Bundle

INT8, FLOAT = b"int8int8", b"floatflo"


class Times:
    def stop(self) -> None:
        pass


class Pool:
    """Runs at once."""

    async def run(self, function, *arguments):
        await asyncio.sleep(0)
        return function(*arguments)


class House:
    """A cloud's networks with an int8 one that has its float32 one beside it."""

    def __init__(self, folder: Path) -> None:
        self.now = 0.0
        self.loads: list[Path] = []
        self.changes = 0
        self.failure: Exception | None = None
        self.counter = Counter("changes", "", ["result"], registry=None)
        bundle = write_bundle(folder / "int8", INT8, precision="int8", int8=int8_entry(FLOAT.hex()))
        write_bundle(float_of(folder / "int8"), FLOAT)
        self.networks = Networks(self._of(bundle), lambda _: Times(), Gauge("h", "", registry=None))
        self.stand_in = StandIn(
            self.networks, self._load, self._note, pool=Pool(), changes=self.counter, clock=lambda: self.now
        )
        self.networks.stand_in = self.stand_in

    def _of(self, bundle: Bundle) -> LoadedNetwork:
        network = network_of(bundle)
        return LoadedNetwork(
            network, Tails(network.partition, network.engine), "", None, Usage(lambda: self.now)
        )

    def _load(self, folder: Path) -> LoadedNetwork:
        self.loads.append(folder)
        if self.failure:
            raise self.failure
        return self._of(read_bundle(folder))

    def _note(self) -> None:
        self.changes += 1

    async def ask(self) -> bytes:
        return self.networks.of("frame", FLOAT).model.fingerprint


async def turns() -> None:
    for _ in range(10):
        await asyncio.sleep(0)


def test_the_first_frame_is_told_to_come_again_and_the_next_one_is_served(tmp_path: Path) -> None:
    async def check() -> None:
        house = House(tmp_path)
        assert house.networks.also_serves() == [FLOAT.hex()]
        for _ in range(3):
            with pytest.raises(UnavailableError, match="is being loaded"):
                await house.ask()
        await turns()
        assert await house.ask() == FLOAT
        assert house.loads == [float_of(tmp_path / "int8")]
        assert house.networks.current.model.fingerprint == INT8
        assert house.networks.also_serves() == [FLOAT.hex()]
        assert house.changes == 1
        assert house.counter.labels(result="taken").value() == 1

    asyncio.run(check())


def test_it_goes_when_nobody_uses_it_and_comes_again(tmp_path: Path) -> None:
    async def check() -> None:
        house = House(tmp_path)
        with pytest.raises(UnavailableError):
            await house.ask()
        await turns()
        house.now = 1e6
        assert [each.model.fingerprint for each in house.networks.expire()] == [FLOAT]
        with pytest.raises(UnavailableError):
            await house.ask()
        await turns()
        assert len(house.loads) == 2

    asyncio.run(check())


def test_one_that_cannot_be_loaded_is_not_tried_again_at_once(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    async def check() -> None:
        house = House(tmp_path)
        for failure in (ModelError("damaged"), RuntimeError("a bug")):
            house.failure = failure
            with pytest.raises(UnavailableError):
                await house.ask()
            await turns()
            with pytest.raises(FingerprintError):
                await house.ask()
            house.now += PAUSE_S
        assert house.counter.labels(result="failed").value() == 2
        house.failure = None
        with pytest.raises(UnavailableError):
            await house.ask()
        await turns()
        assert await house.ask() == FLOAT

    asyncio.run(check())
    assert caplog.text.count("edges that run the float32 network answer by themselves") == 2


def test_edges_may_fetch_it_while_it_is_not_loaded(tmp_path: Path) -> None:
    async def check() -> None:
        house = House(tmp_path)
        assert house.networks.files(FLOAT) is None  # this cloud gives nothing away
        house.networks.take(
            replace(house.networks.current, files=BundleFiles(read_bundle(tmp_path / "int8")))
        )
        files = house.networks.files(FLOAT)
        assert files is not None
        assert files.manifest == (float_of(tmp_path / "int8") / MANIFEST).read_bytes()
        assert files is house.networks.files(FLOAT)
        assert house.networks.files(INT8) is house.networks.current.files
        assert house.networks.files(b"somethin") is None
        assert house.loads == []

    asyncio.run(check())


def test_any_other_fingerprint_is_refused_as_ever(tmp_path: Path) -> None:
    async def check() -> None:
        house = House(tmp_path)
        with pytest.raises(FingerprintError) as refusal:
            house.networks.of("frame", b"somethin")
        assert refusal.value.accepted["also_serves"] == [FLOAT.hex()]
        assert house.loads == []

    asyncio.run(check())


def test_without_its_float32_bundle_or_with_another_there_is_none(tmp_path: Path) -> None:
    async def check() -> None:
        house = House(tmp_path)
        write_bundle(float_of(tmp_path / "int8"), b"anything")
        with pytest.raises(FingerprintError):
            await house.ask()
        assert house.networks.also_serves() == []

    asyncio.run(check())


def test_a_request_that_names_its_version_brings_it_as_well(tmp_path: Path) -> None:
    async def check() -> None:
        house = House(tmp_path)
        assert house.networks.versions("residual") == [INT8.hex(), FLOAT.hex()]
        assert house.networks.named("residual").model.fingerprint == INT8
        with pytest.raises(UnavailableError, match="this request was made for"):
            house.networks.named("residual", FLOAT.hex())
        await turns()
        assert house.networks.named("residual", FLOAT.hex()).model.fingerprint == FLOAT
        assert house.networks.named("residual").model.fingerprint == INT8
        with pytest.raises(UnknownModelError):
            house.networks.named("another", FLOAT.hex())

    asyncio.run(check())
