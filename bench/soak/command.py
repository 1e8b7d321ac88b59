"""`python -m bench.soak.command`: edges, one cloud, and everything that can go wrong between them, until so many frames are answered.

Nothing may be lost, grow or leak meanwhile. Everything runs on this machine and is ended with the soak.
"""

from __future__ import annotations

import argparse
import contextlib
import signal
import subprocess
import sys
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bench.emulator.thread import EmulatorThread
from bench.harness.options import number_between
from bench.soak.cloud import CloudProcess
from bench.soak.edge import EdgeProcess
from bench.soak.faults import Breaker, schedule
from bench.soak.report import Findings, findings_of
from bench.soak.watch import GROWTH_FILES, Watch, open_files

if TYPE_CHECKING:
    from collections.abc import Sequence

_TICK_S = 1.0
_START_S = 120.0
_CLOUD_WARM_S = 15.0
_TELL_S = 30.0
_QUIET_S = 2.0
_CONNECTIONS = 5
"""An edge keeps as many as it may have requests under way, and one for its probes."""
QUICK = {"seconds": 120.0, "warm": 30.0}
FULL = {"seconds": 3600.0, "warm": 60.0}


class EnoughError(Exception):
    """The soak is over: `why`, for people."""


class Soak:
    """One run. What it starts is closed with `ends`."""

    def __init__(self, given: argparse.Namespace, folder: Path, ends: contextlib.ExitStack) -> None:
        self._given = given
        self._folder = folder
        self._ends = ends
        self._start = time.monotonic()
        self._told = self._start
        same = [
            f"--model={given.model}",
            f"--split-point={given.split_point}",
            "--weights=random",
            "--threads=1",
        ]
        self._flags = [*same, f"--cache-dir={folder / 'cache'}"]
        self._cloud = CloudProcess(folder, self._flags)
        self._link = EmulatorThread("127.0.0.1", self._cloud.port, seed=given.seed)
        self._edges: list[EdgeProcess] = []
        self._watches: list[Watch] = []
        self._breaker = Breaker(self._cloud, self._link, self._wait)
        self._idle_files = 0
        """That a cloud has open when nobody is connected."""

    def run(self) -> Findings:
        """Raises RuntimeError if something cannot be started, or ends by itself."""
        self._begin()
        why = "the faults have ended"
        try:
            for fault in schedule(self._given.seed):
                self._wait(fault.gap_s)
                self._breaker.inject(fault)
        except EnoughError as enough:
            why = str(enough)
        faults = self._end()
        return findings_of(self._edges, self._cloud.ledger, self._watches, self._breaker, why, faults)

    def _begin(self) -> None:
        self._ends.callback(self._cloud.close)
        self._cloud.start()
        self._cloud.wait_ready(_START_S)
        self._idle_files = open_files(self._cloud.pid)
        self._watch_cloud()
        self._ends.callback(self._link.stop)
        self._link.start()
        flags = [
            *self._flags, f"--cloud-url=http://127.0.0.1:{self._link.port}",
            f"--source=synthetic:fps={self._given.fps:g},width=320,height=240",
        ]  # fmt: skip
        for number in range(1, self._given.edges + 1):
            edge = EdgeProcess(self._folder, f"edge {number}", flags)
            self._ends.callback(edge.close)
            self._edges.append(edge)
            if number == 1:  # it converts the network, which the others find then
                self._wait_for_records()
        self._wait_for_records()
        for edge in self._edges:
            self._watches.append(Watch(edge.name, edge.pid, time.monotonic() + self._given.warm))

    def _watch_cloud(self) -> None:
        name, warm_at = f"cloud {self._cloud.starts}", time.monotonic() + _CLOUD_WARM_S
        connections = self._given.edges * _CONNECTIONS
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
        """Sleep, and look at everything meanwhile. Raises EnoughError."""
        until = time.monotonic() + seconds
        while (left := until - time.monotonic()) > 0:
            self._look()
            time.sleep(min(_TICK_S, left))

    def _look(self) -> None:
        given, now = self._given, time.monotonic()
        self._check_edges()
        frames = sum(edge.count() for edge in self._edges)
        if self._cloud.is_up() and all(watch.pid != self._cloud.pid for watch in self._watches):
            self._watch_cloud()
        for watch in self._watches:
            watch.sample(now)
        if now - self._told > _TELL_S:
            self._told = now
            faults = self._breaker.done.total()
            print(
                f"{now - self._start:6.0f} s {frames:8d} frames {faults:5d} faults",
                file=sys.stderr,
                flush=True,
            )
        if frames >= given.frames:
            raise EnoughError(f"{frames} frames were answered")
        if now - self._start > given.seconds:
            raise EnoughError(
                f"{given.seconds:g} s are over; {frames} of {given.frames} frames were answered"
            )

    def _end(self) -> list[str]:
        """What is on its way is answered. What was wrong then, one line each."""
        for edge in self._edges:
            edge.ask_to_stop()
        statuses = {edge.name: edge.wait() for edge in self._edges}
        faults = []
        if self._cloud.is_up():
            time.sleep(_QUIET_S)
            files = open_files(self._cloud.pid)
            if files > self._idle_files + GROWTH_FILES:
                faults.append(
                    f"the cloud has {files} files open without any edge; before: {self._idle_files}"
                )
            statuses["cloud"] = self._cloud.stop()
        return faults + [f"{name} ended with {status}" for name, status in statuses.items() if status]


def main(arguments: Sequence[str]) -> int:
    """Exit status 1 if frames were lost or something grew, 2 if it could not be run to its end."""
    given = parse(arguments)
    with contextlib.ExitStack() as ends:
        if given.folder:
            given.folder.mkdir(parents=True, exist_ok=True)
        folder = given.folder or Path(
            ends.enter_context(tempfile.TemporaryDirectory(prefix="splitdnn-soak-"))
        )
        try:
            findings = Soak(given, folder, ends).run()
        except (RuntimeError, subprocess.TimeoutExpired) as error:
            print(f"python -m bench.soak.command: {error}", file=sys.stderr)
            return 2
        print(findings.text)
        return 1 if findings.faults else 0


def parse(arguments: Sequence[str]) -> argparse.Namespace:
    """The flags; `--quick` fills in what was not given."""
    parser = argparse.ArgumentParser(
        prog="python -m bench.soak.command",
        description="Run edges against one cloud while the cloud is killed, paused and cut off at random; count frames, "
        "memory and open files.",
    )
    parser.add_argument(
        "--frames",
        type=number_between(int, 1, 10**9),
        default=20_000,
        help="answered in all, then it ends (default: %(default)s)",
    )
    parser.add_argument(
        "--seconds",
        type=number_between(float, 10, 1e6),
        help="it ends at the latest (default: 3600; with --quick 120)",
    )
    parser.add_argument("--quick", action="store_true", help="two minutes, to see that it works")
    parser.add_argument("--edges", type=number_between(int, 1, 64), default=8, help="(default: %(default)s)")
    parser.add_argument(
        "--fps",
        type=number_between(float, 0.1, 1000),
        default=5.0,
        help="frames/s of each edge (default: %(default)s)",
    )
    parser.add_argument("--seed", type=int, default=0, help="of the faults (default: %(default)s)")
    parser.add_argument("--model", default="mobilenet_v2", help="with random weights (default: %(default)s)")
    parser.add_argument("--split-point", default="features.13", help="(default: %(default)s)")
    parser.add_argument(
        "--warm",
        type=number_between(float, 0, 1e6),
        help="seconds after which memory and files are counted (default: 60; with --quick 30)",
    )
    parser.add_argument(
        "--folder", type=Path, help="keep records, ledger and logs there (default: they are removed)"
    )
    given = parser.parse_args(arguments)
    for name, value in (QUICK if given.quick else FULL).items():
        if getattr(given, name) is None:
            setattr(given, name, value)
    if given.folder and any(given.folder.glob("*.jsonl")):
        parser.error(f"{given.folder} holds an earlier soak's records")
    return given


if __name__ == "__main__":
    # As an interrupt: whatever was started is ended on the way out.
    signal.signal(signal.SIGTERM, lambda *_: sys.exit(143))
    sys.exit(main(sys.argv[1:]))
