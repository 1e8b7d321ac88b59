"""The processes of one server: whatever inherited its mark, also what has left its parent, as Ray's processes and Triton do."""

from __future__ import annotations

import contextlib
import os
import signal
import time
from typing import TYPE_CHECKING

from bench.harness import process
from bench.harness.process import PROC, TICKS_PER_S, stat_fields

if TYPE_CHECKING:
    from pathlib import Path

MARK = "BENCH_PEER_MARK"
"""The variable that a server is started with, and that everything it starts inherits."""
_POLL_S = 0.05
_KILLED_S = 10.0
"""In which the system takes a killed process away, however busy it is."""


def marked(mark: str, proc: Path = PROC) -> list[int]:
    """Every living process with this mark, the server itself among them, and what they have started."""
    wanted = f"{MARK}={mark}".encode()
    found: set[int] = set()
    parents: dict[int, int] = {}
    for folder in proc.iterdir():
        if folder.name.isdigit():
            pid = int(folder.name)
            with contextlib.suppress(OSError):  # it has just ended, or is another user's
                fields = stat_fields(pid, proc)
                if fields[0] == "Z":
                    continue
                parents[pid] = int(fields[1])
                if wanted in (folder / "environ").read_bytes().split(b"\0"):
                    found.add(pid)
    # A process that gives itself a title writes it over its environment, but its parent is known.
    while more := {pid for pid, parent in parents.items() if parent in found and pid not in found}:
        found |= more
    return sorted(found)


def cpu_s(pids: list[int], proc: Path = PROC) -> float:
    """CPU seconds of these processes and of those that they have waited for."""
    ticks = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            ticks += sum(map(int, stat_fields(pid, proc)[11:15]))  # utime, stime, cutime, cstime
    return ticks / TICKS_PER_S


def proportional(pids: list[int], proc: Path = PROC) -> int:
    """The proportional set sizes of these processes, together, in bytes: a page that n processes share counts as 1/n."""
    total = 0
    for pid in pids:
        with contextlib.suppress(OSError):
            total += process.proportional(pid, proc)
    return total


def end(mark: str, patience_s: float = 5.0) -> int:
    """End what is left with this mark: SIGTERM, then SIGKILL. How many processes there were."""
    left = _signal(mark, signal.SIGTERM)
    _wait(mark, patience_s)
    if _signal(mark, signal.SIGKILL):
        _wait(mark, _KILLED_S)
    return left


def _wait(mark: str, seconds: float) -> None:
    """Until none is left, or so long."""
    deadline = time.monotonic() + seconds
    while marked(mark) and time.monotonic() < deadline:
        time.sleep(_POLL_S)


def _signal(mark: str, number: signal.Signals) -> int:
    pids = marked(mark)
    for pid in pids:
        with contextlib.suppress(ProcessLookupError):
            os.kill(pid, number)
    return len(pids)
