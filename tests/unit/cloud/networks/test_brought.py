"""Which networks of siblings are looked for, how many at once, and how long they stay."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from kits import virtual_time
from kits.numpy_network import network_of, write_bundle
from prometheus_client import Gauge

from cloud.batching.tails import Tails
from cloud.networks.brought import PAUSE_S, Brought
from cloud.networks.network import LoadedNetwork
from cloud.networks.networks import EARLIER_S, Networks
from cloud.networks.usage import Usage
from shared.errors import FetchError, FingerprintError, UnavailableError
from shared.network.bundle import read_bundle
from shared.observing.counting.counter import Counter

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable
    from pathlib import Path

OURS, THEIRS, OTHER = b"ours....", b"theirs..", b"other..."


class Times:
    def stop(self) -> None:
        """Nothing is measured."""


class Pool:
    """Runs at once."""

    async def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return function(*arguments)

    def start(self, function: Callable[[], Any]) -> None:
        """Memory is given back."""


class House:
    """A cloud with one network, and siblings that have `there`."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.there: dict[str, Path] = {}
        self.asked: list[str] = []
        self.problem: Exception | None = None
        self.changes = 0
        self.counter = Counter("brought", "", ["result"], registry=None)
        self.clock = asyncio.get_running_loop().time
        self.networks = Networks(
            self.of(write_bundle(folder / "ours", OURS)), lambda _: Times(), Gauge("h", "", registry=None)
        )  # type: ignore[arg-type, return-value]
        self.brought = self.networks.brought = Brought(
            self, self.networks, lambda path: self.of(read_bundle(path)), self.note, pool=Pool(), results=self.counter, clock=self.clock  # type: ignore[arg-type]
        )  # fmt: skip

    def of(self, bundle: Any) -> LoadedNetwork:
        network = network_of(bundle)
        tails = Tails(network.partition, network.engine)
        return LoadedNetwork(network, tails, "", None, Usage(self.clock))

    def note(self) -> None:
        self.changes += 1

    def has(self, fingerprint: bytes, under: bytes | None = None) -> None:
        folder = self.folder / fingerprint.hex()
        write_bundle(folder, fingerprint)
        self.there[(under or fingerprint).hex()] = folder

    async def fetch(self, fingerprint: str) -> Path | None:
        self.asked.append(fingerprint)
        await asyncio.sleep(1)
        if self.problem:
            raise self.problem
        return self.there.get(fingerprint)

    def close(self) -> None:
        """Nothing is kept."""

    def ask(self, fingerprint: bytes, client: str = "gate") -> str:
        try:
            self.networks.of("frame", fingerprint, client)
        except UnavailableError:
            return "wait"
        except FingerprintError:
            return "refused"
        return "served"


def with_house(check: Callable[[House], Awaitable[None]], tmp_path: Path) -> None:
    async def go() -> None:
        house = House(tmp_path)
        await check(house)
        house.networks.stop()

    virtual_time.run(go())


def test_one_network_is_looked_for_at_a_time_and_many_frames_ask_once(tmp_path: Path) -> None:
    async def check(house: House) -> None:
        house.has(THEIRS)
        assert [house.ask(THEIRS) for _ in range(5)] == ["wait"] * 5
        await asyncio.sleep(0.5)
        assert house.ask(THEIRS) == "wait"
        assert house.ask(OTHER) == "refused"
        await asyncio.sleep(1)
        assert house.ask(THEIRS) == "served"
        assert (house.asked, house.changes) == ([THEIRS.hex()], 1)
        assert house.networks.current.model.fingerprint == OURS
        assert house.ask(OTHER) == "wait"

    with_house(check, tmp_path)


def test_a_network_goes_when_no_frame_of_it_comes_and_can_come_again(tmp_path: Path) -> None:
    async def check(house: House) -> None:
        house.has(THEIRS)
        house.ask(THEIRS)
        await asyncio.sleep(EARLIER_S)
        assert house.ask(THEIRS) == "served"
        await asyncio.sleep(EARLIER_S - 20)
        assert house.networks.held(THEIRS)
        await asyncio.sleep(40)
        assert house.networks.held(THEIRS) is None
        assert house.changes == 2
        assert house.ask(THEIRS) == "wait"

    with_house(check, tmp_path)


@pytest.mark.parametrize("why", ["nobody has it", "it is cut", "it runs as another one", "a bug"])
def test_what_cannot_be_had_is_refused_and_looked_for_again_after_a_while(tmp_path: Path, why: str) -> None:
    async def check(house: House) -> None:
        if why == "it runs as another one":
            house.has(OTHER, under=THEIRS)
        house.problem = {"it is cut": FetchError("cut", "gone"), "a bug": KeyError("x")}.get(why)
        assert house.ask(THEIRS) == "wait"
        await asyncio.sleep(2)
        assert house.ask(THEIRS) == "refused"
        house.problem = None
        (house.folder / "later").mkdir()
        write_bundle(house.folder / "later", THEIRS)
        house.there[THEIRS.hex()] = house.folder / "later"
        await asyncio.sleep(PAUSE_S - 5)
        assert house.ask(THEIRS) == "refused"
        await asyncio.sleep(5)
        assert house.ask(THEIRS) == "wait"
        await asyncio.sleep(2)
        assert house.ask(THEIRS) == "served"

    with_house(check, tmp_path)


def test_a_client_that_invents_fingerprints_leaves_looks_to_others(tmp_path: Path) -> None:
    async def check(house: House) -> None:
        house.has(THEIRS)
        for number in range(75):
            house.ask(b"%08d" % number, "storm")
            await asyncio.sleep(4)
        assert 10 <= len(house.asked) <= 13, "3 at once, then one in 30 s"
        while house.ask(b"another.", "storm") != "wait":
            await asyncio.sleep(1)
        await asyncio.sleep(2)
        assert house.ask(b"one more", "storm") == "refused", "it has no look left"
        assert house.ask(THEIRS) == "wait"
        await asyncio.sleep(2)
        assert house.ask(THEIRS) == "served"

    with_house(check, tmp_path)


def test_many_clients_that_invent_fingerprints_cost_few_looks_and_little_memory(tmp_path: Path) -> None:
    async def check(house: House) -> None:
        for number in range(2000):
            house.ask(b"%08d" % number, f"client {number}")
            await asyncio.sleep(1.5 if number < 22 else 0)
        assert 8 <= len(house.asked) <= 8 + 0.2 * 33
        assert len(house.brought._clients) == len(house.brought._in_vain) == 1024

    with_house(check, tmp_path)


def test_what_is_on_its_way_at_the_end_is_given_up(tmp_path: Path) -> None:
    async def check(house: House) -> None:
        house.ask(THEIRS)
        await asyncio.sleep(0.1)
        house.networks.stop()
        await asyncio.sleep(2)
        assert house.networks.held(THEIRS) is None
        assert house.brought._bringing
        assert house.brought._bringing.cancelled()

    with_house(check, tmp_path)
