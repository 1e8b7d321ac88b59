"""`python -m bench soak`: edges, one cloud, and every fault that can come between them, until a given number of frames has been answered.

Nothing may be lost, grow or leak meanwhile. Everything runs on this machine and is ended with the soak.
"""

from __future__ import annotations

import contextlib
import subprocess
import sys
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.emulator.thread import EmulatorThread
from bench.harness.keys import Keys
from bench.harness.options import Options, kept_or_temporary, number_between, option, positive
from bench.harness.process import open_files
from bench.harness.system import Cloud
from bench.soak.edge import EdgeProcess
from bench.soak.faults import Breaker, schedule
from bench.soak.report import Findings, findings_of
from bench.soak.watch import GROWTH_FILES, Watch

if TYPE_CHECKING:
    from collections.abc import Sequence

_MODEL, _POINT = "mobilenet_v2", "features.13"
_TICK_S = 1.0
_START_S = 120.0
_CLOUD_WARM_S = 15.0
_REPORT_S = 30.0
_QUIET_S = 20.0
"""In which a cloud has closed the connections of edges that have gone, however busy the machine is."""
_END_S = 60.0
_CONNECTIONS = 5
"""An edge keeps as many as it may have requests under way, and one for its probes."""


@dataclass(frozen=True)
class SoakOptions(Options):
    """Run edges against one cloud while it is killed, paused and cut off at random; count frames, memory and open files."""

    command = "soak"

    frames: int = option(20_000, "answered in all, then it ends", type=positive)
    seconds: float = option(3600.0, "it ends at the latest", quick=120.0, type=number_between(float, 10, 1e6))
    quick: bool = option(False, "two minutes, to see that it works")
    edges: int = option(8, "how many", type=number_between(int, 1, 64))
    fps: float = option(5.0, "frames/s of each edge", type=number_between(float, 0.1, 1000))
    plain: bool = option(False, "without TLS, and without a token for each edge")
    seed: int = option(0, "of the faults")
    model: str = option(
        _MODEL, "a bundle's folder, an ONNX, OpenVINO or tflite file, or a name, with random weights then"
    )
    split_point: str = option("", f"of every edge (default: the network's own; {_POINT} of {_MODEL})")
    warm: float = option(
        60.0,
        "seconds after which memory and files are counted",
        quick=30.0,
        type=number_between(float, 0, 1e6),
    )
    folder: Path | None = option(
        None, "keep records, ledger and logs there (default: they are removed)", type=Path
    )

    def network(self) -> list[str]:
        """The flags of both sides that say what runs, and where it is cut."""
        point = self.split_point or (_POINT if self.model == _MODEL else "")
        return [
            f"--model={self.model}",
            *([] if Path(self.model).exists() else ["--weights=random"]),
            *([f"--split-point={point}"] if point else []),
        ]

    def wrong(self) -> str | None:
        earlier = self.folder and any(self.folder.glob("*.jsonl"))
        return f"{self.folder} holds an earlier soak's records" if earlier else None


class EnoughError(Exception):
    """The soak is over, for the reason given."""


class Soak:
    """One run. What it starts is closed with `ends`."""

    def __init__(self, options: SoakOptions, folder: Path, ends: contextlib.ExitStack) -> None:
        self._options = options
        self._folder = folder
        self._ends = ends
        self._start = self._reported = time.monotonic()
        self._flags = [*options.network(), "--threads=1", f"--cache-dir={folder / 'cache'}"]
        self._ledger = folder / "ledger.jsonl"
        names = [f"edge{number}" for number in range(1, options.edges + 1)]
        self._keys = None if options.plain else Keys.make(folder / "keys", names)
        cloud_flags = [*self._flags, f"--ledger={self._ledger}"]
        self._cloud = Cloud(cloud_flags, log=folder / "cloud.log", keys=self._keys)
        self._link = EmulatorThread("127.0.0.1", self._cloud.port, seed=options.seed)
        self._edges: list[EdgeProcess] = []
        self._watches: list[Watch] = []
        self._breaker = Breaker(self._cloud, self._link, self._wait)
        self._idle_files = 0
        """How many files a cloud has open when nothing is connected to it."""

    def run(self) -> Findings:
        """Raises RuntimeError if something cannot be started, or ends by itself."""
        self._begin()
        why = ""
        try:
            for fault in schedule(self._options.seed):
                self._wait(fault.gap_s)
                self._breaker.inject(fault)
        except EnoughError as enough:
            why = str(enough)
        faults = self._end()
        return findings_of(self._edges, self._ledger, self._watches, self._breaker, why, faults)

    def _begin(self) -> None:
        self._ends.callback(self._cloud.close)
        self._cloud.start()
        self._cloud.wait_until_ready(_START_S)
        self._idle_files = open_files(self._cloud.pid)
        self._watch_cloud()
        self._ends.callback(self._link.stop)
        self._link.start()
        flags = [
            *self._flags, f"--cloud-url={'https' if self._keys else 'http'}://127.0.0.1:{self._link.port}",
            f"--source=synthetic:fps={self._options.fps:g},width=320,height=240",
        ]  # fmt: skip
        for number in range(1, self._options.edges + 1):
            own = self._keys.edge_flags(f"edge{number}") if self._keys else []
            edge = self._ends.enter_context(EdgeProcess(self._folder, f"edge {number}", [*flags, *own]))
            self._edges.append(edge)
            if number == 1:  # it converts the network, which the others find then
                self._wait_for_records()
        self._wait_for_records()
        warm_at = time.monotonic() + self._options.warm
        self._watches += [Watch(edge.name, edge.pid, warm_at) for edge in self._edges]

    def _watch_cloud(self) -> None:
        name, warm_at = f"cloud {self._cloud.starts}", time.monotonic() + _CLOUD_WARM_S
        connections = self._options.edges * _CONNECTIONS
        self._watches.append(Watch(name, self._cloud.pid, warm_at, connections))

    def _wait_for_records(self) -> None:
        until = time.monotonic() + _START_S
        while not all(edge.count() for edge in self._edges):
            self._check_edges()
            if time.monotonic() > until:
                raise RuntimeError(f"no first record of every edge within {_START_S:g} s")
            time.sleep(_TICK_S / 10)

    def _check_edges(self) -> None:
        for edge in self._edges:
            if not edge.is_up():
                raise RuntimeError(f"{edge.name} has ended by itself:\n{edge.said()}")

    def _wait(self, seconds: float) -> None:
        """Sleep, and check all processes meanwhile. Raises EnoughError."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._look()
            time.sleep(min(_TICK_S, left))

    def _look(self) -> None:
        options, now = self._options, time.monotonic()
        self._check_edges()
        frames = sum(edge.count() for edge in self._edges)
        if self._cloud.is_up() and all(watch.pid != self._cloud.pid for watch in self._watches):
            self._watch_cloud()
        for watch in self._watches:
            watch.sample(now)
        if now - self._reported > _REPORT_S:
            self._reported = now
            line = f"{now - self._start:6.0f} s {frames:8d} frames {self._breaker.done.total():5d} faults"
            print(line, file=sys.stderr, flush=True)
        if frames >= options.frames:
            raise EnoughError(f"{frames} frames were answered")
        if now - self._start > options.seconds:
            raise EnoughError(
                f"{options.seconds:g} s are over; {frames} of {options.frames} frames were answered"
            )

    def _end(self) -> list[str]:
        """Wait for the frames under way, and end everything. Returns what was wrong, one line each."""
        for edge in self._edges:
            edge.process.terminate()
        statuses = {edge.name: edge.process.wait(_END_S) for edge in self._edges}
        faults = []
        if self._cloud.is_up():
            until, most = time.monotonic() + _QUIET_S, self._idle_files + GROWTH_FILES
            while (files := open_files(self._cloud.pid)) > most and time.monotonic() < until:
                time.sleep(_TICK_S / 10)
            if files > most:
                faults.append(
                    f"the cloud has {files} files open without any edge; before: {self._idle_files}"
                )
            statuses["cloud"] = self._cloud.stop()
        return faults + [f"{name} ended with {status}" for name, status in statuses.items() if status]


def main(arguments: Sequence[str]) -> int:
    """Exit status 1 if frames were lost or something grew, 2 if it could not be run to its end."""
    options = SoakOptions.read(arguments)
    with kept_or_temporary(options.folder) as folder, contextlib.ExitStack() as ends:
        try:
            findings = Soak(options, folder, ends).run()
        except (RuntimeError, subprocess.TimeoutExpired) as error:
            print(f"python -m bench soak: {error}", file=sys.stderr)
            return 2
        print(findings.text)
        return 1 if findings.faults else 0
