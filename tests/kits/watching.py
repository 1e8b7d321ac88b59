"""A watch over a bundle's folder that looks when the test says so."""

from __future__ import annotations

import asyncio
import logging
import shutil
from typing import TYPE_CHECKING, Any

import pytest
from kits.numpy_network import network_of, write_bundle
from prometheus_client import Gauge

from cloud.batching.tails import Tails
from cloud.metrics import CloudMetrics
from cloud.networks.folder import BundleFolder
from cloud.networks.network import LoadedNetwork
from cloud.networks.networks import Networks
from cloud.networks.usage import Usage
from cloud.networks.watch import INTERVAL_S, BundleWatch

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path


class Inline:
    """In place of a pool of threads."""

    async def run(self, function: Callable[..., Any], *arguments: Any) -> Any:
        return function(*arguments)

    def start(self, function: Callable[[], object]) -> None:
        function()


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


def warnings(caplog: pytest.LogCaptureFixture) -> list[str]:
    return [record.getMessage() for record in caplog.records if record.levelno >= logging.WARNING]
