"""A bundle's folder is followed: what is put there is taken, and what cannot be used changes nothing."""

from __future__ import annotations

import asyncio
import json
import logging
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from kits.numpy_network import network_of, write_bundle
from prometheus_client import Gauge

from cloud.batching.tails import Tails
from cloud.metrics import CloudMetrics
from cloud.networks import watch as module
from cloud.networks.folder import BundleFolder
from cloud.networks.network import LoadedNetwork
from cloud.networks.networks import EARLIER_S, Networks
from cloud.networks.usage import Usage
from cloud.networks.watch import INTERVAL_S, BundleWatch
from shared.network.bundle import digest_of

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Inline:
    """In place of a pool of threads."""

    async def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return function(*arguments)


class Times:
    def stop(self) -> None:
        """There is nothing to stop."""


class Follower:
    """A folder that is looked at when the test says so."""

    def __init__(self, path: Path) -> None:
        self.path = path
        self.now = 0.0
        self.metrics = CloudMetrics()
        self.loads = 0
        self.changes = 0
        self.during: Callable[[], object] = lambda: None
        """Called while a network is loaded."""
        write_bundle(path, b"number 0")
        folder = BundleFolder(path)
        state = folder.state()
        self.networks = Networks(self._load(), lambda _: Times(), Gauge("h", "", registry=None))  # type: ignore[arg-type,return-value]
        self.loads = 0
        self.watch = BundleWatch(
            folder, self.networks, self._load, self._changed, pool=Inline(), metrics=self.metrics, loaded=state,  # type: ignore[arg-type]
            sleep=self._sleep,
        )  # fmt: skip
        self._looks = 0

    def _load(self) -> LoadedNetwork:
        self.loads += 1
        bundle = BundleFolder(self.path).read()
        self.during()
        network = network_of(bundle)
        usage = Usage(lambda: self.now)
        return LoadedNetwork(network, Tails(network.partition, network.engine), "", None, usage)

    def _changed(self) -> None:
        self.changes += 1

    async def _sleep(self, seconds: float) -> None:
        assert seconds == INTERVAL_S
        self.now += seconds
        self._looks -= 1
        if self._looks < 0:
            raise asyncio.CancelledError

    def look(self, times: int = 2) -> None:
        """As often as it needs to take what does not change any more."""
        self._looks = times
        with pytest.raises(asyncio.CancelledError):
            asyncio.run(self.watch.run())

    def replace(self, number: int, **changes: Any) -> None:
        """As `splitdnn bundle` does: the earlier bundle is kept beside it."""
        previous = self.path.with_name("bundle.previous")
        shutil.rmtree(previous, ignore_errors=True)
        self.path.rename(previous)
        write_bundle(self.path, f"number {number}".encode(), **changes)

    def back(self) -> None:
        """As `splitdnn back` does."""
        previous, aside = self.path.with_name("bundle.previous"), self.path.with_name("aside")
        self.path.rename(aside)
        previous.rename(self.path)
        aside.rename(previous)

    @property
    def current(self) -> str:
        return self.networks.current.model.fingerprint.decode()

    def counted(self) -> dict[str, float]:
        names = ("taken", "failed", "away")
        value = self.metrics.registry.get_sample_value
        return {
            name: count
            for name in names
            if (count := value("splitdnn_cloud_network_changes_total", {"result": name}))
        }


@pytest.fixture
def follower(tmp_path: Path) -> Follower:
    return Follower(tmp_path / "bundle")


@pytest.fixture(autouse=True)
def given_back(monkeypatch: pytest.MonkeyPatch) -> list[bool]:
    """Memory is given back once for every drop; here that takes no time."""
    calls: list[bool] = []
    monkeypatch.setattr(module, "give_back", lambda: calls.append(True))
    return calls


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]


def test_a_folder_that_does_not_change_is_not_read_again(follower: Follower) -> None:
    follower.look(10)
    assert (follower.loads, follower.changes, follower.counted()) == (0, 0, {})


def test_another_bundle_becomes_the_current_network_and_the_earlier_one_is_held(
    follower: Follower, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    follower.replace(1)
    follower.look(1)
    assert follower.current == "number 0"  # it may still be written
    follower.look(1)
    assert follower.current == "number 1"
    assert follower.networks.earlier() == [b"number 0".hex()]
    assert (follower.loads, follower.changes, follower.counted()) == (1, 1, {"taken": 1})
    assert f"fingerprint {b'number 1'.hex()} is the current network now" in caplog.text
    follower.look(5)
    assert follower.loads == 1


def test_the_tails_in_use_are_compiled_before_it_is_current(follower: Follower) -> None:
    follower.networks.current.usage.note("layer4")
    follower.now += 1
    follower.networks.current.usage.note("layer1")
    follower.replace(1)
    follower.look()
    compiled = follower.networks.current.engine.compiled  # type: ignore[attr-defined]
    assert compiled == [("tail", "layer1"), ("tail", "layer4")]


def test_going_back_takes_what_is_held_and_loads_nothing(follower: Follower) -> None:
    first = follower.networks.current
    follower.replace(1)
    follower.look()
    follower.back()
    follower.look()
    assert follower.networks.current is first
    assert follower.networks.earlier() == [b"number 1".hex()]
    assert (follower.loads, follower.counted()) == (1, {"taken": 2})


def test_the_same_bundle_written_again_is_no_change(follower: Follower) -> None:
    first = follower.networks.current
    follower.replace(0)
    follower.look()
    assert follower.networks.current is first
    assert (follower.loads, follower.changes, follower.counted()) == (0, 0, {})


def test_what_cannot_be_used_is_one_line_and_one_count_and_the_network_goes_on(
    follower: Follower, caplog: pytest.LogCaptureFixture
) -> None:
    manifest = follower.path / "bundle.json"

    def newer() -> None:
        fields = json.loads(manifest.read_text()) | {"schema": 9}
        fields["digest"] = digest_of(fields)
        manifest.write_text(json.dumps(fields))

    cases: list[tuple[str, Callable[[], object], str]] = [
        ("failed", lambda: (follower.path / "network.bin").write_bytes(b"x"), "network.bin is not the file"),
        ("failed", (follower.path / "network.xml").unlink, "network.xml: No such file"),
        ("failed", newer, "schema 9 is newer than this version of splitdnn reads"),
        ("failed", lambda: manifest.write_text("{"), "bundle.json is not JSON"),
        ("away", manifest.unlink, "not there any more"),
        ("away", lambda: shutil.rmtree(follower.path), "not there any more"),
    ]
    for result, damage, text in cases:
        before = follower.counted().get(result, 0)
        write_bundle(follower.path, b"number 0")
        follower.look()
        caplog.clear()
        damage()
        follower.look(6)
        (line,) = warnings(caplog)
        assert text in line
        assert line.endswith(f"the network stays as it is, fingerprint {b'number 0'.hex()}"), line
        assert follower.counted()[result] == before + 1, text
    assert (follower.current, follower.changes) == ("number 0", 0)
    write_bundle(follower.path, b"number 5")
    follower.look()
    assert follower.current == "number 5"


def test_a_bundle_that_fails_to_load_is_tried_again_once_it_is_another(
    follower: Follower, caplog: pytest.LogCaptureFixture
) -> None:
    def fail() -> None:
        raise RuntimeError("no memory")

    follower.replace(1)
    follower.during = fail
    follower.look(8)
    assert (follower.loads, follower.current, follower.counted()) == (1, "number 0", {"failed": 1})
    (line,) = warnings(caplog)
    assert "no memory" in line
    follower.during = lambda: None
    follower.look(8)
    assert follower.loads == 1
    follower.replace(2)
    follower.look()
    assert follower.current == "number 2"


def test_a_bundle_that_is_replaced_while_it_is_loaded_is_not_taken(
    follower: Follower, caplog: pytest.LogCaptureFixture
) -> None:
    """What was loaded is neither of the two for certain; the one that stays is taken by a later look."""

    original = BundleFolder.read

    def read_then_replace(folder: BundleFolder) -> Any:
        bundle = original(folder)
        BundleFolder.read = original  # type: ignore[method-assign]
        follower.replace(2)
        return bundle

    follower.replace(1)
    follower.look(1)
    BundleFolder.read = read_then_replace  # type: ignore[method-assign]
    follower.look(1)
    assert follower.current == "number 0"
    assert (follower.counted(), warnings(caplog)) == ({}, [])
    follower.look()
    assert (follower.current, follower.counted()) == ("number 2", {"taken": 1})


def test_an_earlier_network_that_nobody_uses_is_dropped_and_its_memory_given_back(
    follower: Follower, given_back: list[bool]
) -> None:
    follower.replace(1)
    follower.look()
    for _ in range(int(EARLIER_S / INTERVAL_S) + 5):
        follower.networks.of("frame", b"number 0")
        follower.look(1)
    assert follower.networks.earlier() == [b"number 0".hex()]
    assert not given_back
    follower.look(int(EARLIER_S / INTERVAL_S) + 1)
    assert follower.networks.earlier() == []
    assert (len(given_back), follower.changes) == (1, 2)


def test_a_look_that_fails_is_followed_by_others(
    follower: Follower, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    with monkeypatch.context() as patch:
        patch.setattr(BundleFolder, "state", lambda _folder: 1 / 0)
        follower.look(3)
    assert len(warnings(caplog)) == 1  # for all of them
    follower.replace(1)
    follower.look()
    assert follower.current == "number 1"
