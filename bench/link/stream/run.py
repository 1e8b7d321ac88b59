"""One cell: a live camera, an edge, an emulated link, a cloud; what came of it in a stretch of time."""

from __future__ import annotations

import json
import os
import tempfile
import time
from dataclasses import dataclass
from datetime import datetime
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.emulator.thread import EmulatorThread
from bench.harness.process import cpu_s
from bench.link.stream.camera import LiveCamera
from bench.soak.edge import EdgeProcess

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.emulator.counts import Counts
    from bench.harness.system import Cloud
    from bench.link.stream.clip import Clip
    from bench.link.stream.conditions import Condition

_START_S = 120.0
_POLL_S = 0.1
_QUIET_S, _QUIET_WITHIN_S = 0.03, 1.0
EDGE = "edge"
"""The name of the edge's token, where the cloud asks for one."""


@dataclass(frozen=True)
class Stretch:
    """What one cell gave: everything of the run, and the counts of a stretch in which nothing begins or ends."""

    records: Sequence[dict[str, Any]]
    """All of the run, in the order of the frames."""
    begin_s: float
    """In seconds of the wall clock, as `end_s`."""
    end_s: float
    counts: Counts
    before: Counts
    """What crossed before the stretch: connections are opened, first keyframes sent."""
    cpu_s: dict[str, float]
    """Each process's, in the stretch."""
    read: int
    """Frames that the edge read in the whole run."""
    dropped: int
    """Those of them that it dropped to keep up."""

    @property
    def seconds(self) -> float:
        return self.end_s - self.begin_s

    @property
    def counted(self) -> list[dict[str, Any]]:
        """The records of the frames that were answered in the stretch."""
        return [each for each in self.records if self.begin_s <= answered_s(each) < self.end_s]

    @property
    def lost(self) -> int:
        """Frames that were neither answered nor dropped, or answered more than once, or by nobody."""
        numbers = [each["frame"] for each in self.records]
        again = len(numbers) - len(set(numbers))
        nobody: int = sum(each["answered_by"] == "nobody" for each in self.records)
        missing = abs(self.read - self.dropped - len(numbers))
        return missing + again + nobody


@dataclass(frozen=True)
class Cell:
    """What a cell is made of, besides its link."""

    clip: Clip
    fps: float
    flags: Sequence[str]
    """The edge's."""
    warm_s: float
    seconds: float
    seed: int
    core: int
    """The edge's."""


def run(cell: Cell, condition: Condition, cloud: Cloud, folder: Path) -> Stretch:
    """Play it. The link is as it says from the edge's first packet on. Raises RuntimeError with what the edge said if it fails."""
    trace = condition.trace(_START_S + cell.warm_s + cell.seconds, cell.seed)
    tls = [] if cloud.keys is None else cloud.keys.edge_flags(EDGE)
    with (
        tempfile.TemporaryDirectory(dir=folder) as own,
        LiveCamera(cell.clip, cell.fps) as camera,
        EmulatorThread("127.0.0.1", cloud.port, seed=cell.seed) as link,
    ):
        playing = link.play(trace)
        url = f"{cloud.url.partition(':')[0]}://127.0.0.1:{link.port}"
        flags = [f"--source={camera.url}", f"--cloud-url={url}", *tls, *cell.flags]
        with EdgeProcess(Path(own), EDGE, flags) as edge:
            os.sched_setaffinity(edge.pid, {cell.core})
            _wait_for_first(edge)
            _hold(edge, cell.warm_s)
            (begin, before), spent = _look(link), _spent_s(edge, cloud)
            _hold(edge, cell.seconds)
            (end, after), spent_then = _look(link), _spent_s(edge, cloud)
            edge.stop()
            playing.cancel()
            read, dropped = edge.frames_in()
            records = _records(edge.results)
    cpu = {side: spent_then[side] - spent[side] for side in spent}
    return Stretch(records, begin, end, after - before, before, cpu, read, dropped)


def answered_s(record: dict[str, Any]) -> float:
    """When a frame's answer was there, in seconds of the wall clock."""
    seconds: float = datetime.fromisoformat(record["time"]).timestamp() + record["latency_ms"] / 1e3
    return seconds


def _look(link: EmulatorThread) -> tuple[float, Counts]:
    """When, and what has crossed by then: between two frames, where there is such a moment soon, so that none is counted in part."""
    until, counts = time.monotonic() + _QUIET_WITHIN_S, link.counts()
    while True:
        time.sleep(_QUIET_S)
        before, counts = counts, link.counts()
        if before == counts or time.monotonic() > until:
            return time.time(), counts


def _wait_for_first(edge: EdgeProcess) -> None:
    deadline = time.monotonic() + _START_S
    while not edge.count():
        if time.monotonic() > deadline:
            raise RuntimeError(f"the edge has no record within {_START_S:g} s:\n{edge.said()}")
        _hold(edge, _POLL_S)


def _hold(edge: EdgeProcess, seconds: float) -> None:
    time.sleep(seconds)
    if not edge.is_up():
        raise RuntimeError(f"the edge has ended:\n{edge.said()}")


def _spent_s(edge: EdgeProcess, cloud: Cloud) -> dict[str, float]:
    return {"edge": cpu_s(edge.pid), "cloud": cpu_s(cloud.pid)}


def _records(path: Path) -> list[dict[str, Any]]:
    lines = path.read_text(encoding="utf-8").splitlines()
    return sorted(map(json.loads, lines), key=lambda each: int(each["frame"]))
