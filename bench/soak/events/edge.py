"""The part of an edge that makes events of records and delivers them, run after run, on this process's event loop."""

from __future__ import annotations

import asyncio
import base64
import time
from typing import TYPE_CHECKING

from bench.soak.events.join import noticing
from bench.soak.events.records import CAMERAS
from bench.soak.events.targets import KEY, PASSWORD
from edge.config import EdgeSettings
from edge.metrics import EdgeMetrics
from edge.output.events.delivery.opening import Deliveries
from edge.output.events.spool import Spool
from edge.output.events.teller import Teller
from shared.process.settings import read_settings

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence
    from pathlib import Path

    from edge.output.results import Record

_TURN_S = 0.01
_MAX_BYTES = 64 << 20
_LOOK_S = 0.05


class Edge:
    """One after another, each takes up what the one before has left in the spool."""

    def __init__(self, folder: Path, ports: Mapping[str, int], frames_per_s: float) -> None:
        """`folder` has the CA's certificate, and gets the spool."""
        self._folder, self._frames_per_s = folder, frames_per_s
        (folder / "secret").write_bytes(base64.b64encode(KEY))
        (folder / "password").write_bytes(PASSWORD)
        given = {
            "events": f"mqtts://edge@127.0.0.1:{ports['broker']}/bench,https://127.0.0.1:{ports['receiver']}/events",
            "events_ca": str(folder / "ca.crt"),
            "events_password_file": str(folder / "password"),
            "events_secret_file": str(folder / "secret"),
        }
        self._settings = read_settings(EdgeSettings, given)
        self.counts: dict[str, dict[str, float]] = {"lost": {}, "failures": {}}
        """Events lost and failed attempts, by target and reason, of all runs."""

    async def without(self, records: Sequence[Record]) -> float:
        """CPU seconds of this process for the records alone, at the same pace."""
        began = time.process_time()
        await self._play(records, lambda _: None)
        return time.process_time() - began

    async def run(self, records: Sequence[Record], patience_s: float = 0.0) -> float:
        """One run; the CPU seconds of this process for it, its start and end included.

        Waits at most `patience_s` until everything is delivered, besides what an edge waits at its end.
        """
        began = time.process_time()
        metrics = EdgeMetrics(CAMERAS)
        deliveries = Deliveries(self._settings, metrics, CAMERAS)
        spool = Spool(self._folder / "spool", _MAX_BYTES, metrics.events)
        teller = Teller(spool.append, spool.numbers)
        deliveries.start(spool)
        spool.start()
        await self._play(records, noticing(teller))
        until = time.monotonic() + patience_s
        while time.monotonic() < until and _samples(metrics, "events_waiting", "target").total():  # noqa: ASYNC110 - nothing tells
            await asyncio.sleep(_LOOK_S)
        await deliveries.end()
        spool.close()
        spent = time.process_time() - began
        self._count(metrics)
        return spent

    async def _play(self, records: Sequence[Record], sink: Callable[[Record], object]) -> None:
        begin = time.monotonic()
        for count, record in enumerate(records, 1):
            sink(record)
            due = begin + count / self._frames_per_s
            if due > time.monotonic():
                await asyncio.sleep(_TURN_S)
        await asyncio.sleep(0)

    def _count(self, metrics: EdgeMetrics) -> None:
        for what, name in (("lost", "events_lost_total"), ("failures", "events_delivery_failures_total")):
            for key, value in _samples(metrics, name, "target", "reason").items():
                self.counts[what][key] = self.counts[what].get(key, 0) + value


def _samples(metrics: EdgeMetrics, name: str, *labels: str) -> Samples:
    found = Samples()
    for family in metrics.registry.collect():
        for sample in family.samples:
            if sample.name == f"splitdnn_edge_{name}" and sample.value:
                found[" ".join(sample.labels[label] for label in labels)] = sample.value
    return found


class Samples(dict[str, float]):
    """Values by their labels."""

    def total(self) -> float:
        return sum(self.values())
