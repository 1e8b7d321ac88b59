"""Encoders that take more of the machine than they are given.

As root SVT-AV1 (4.1.0; findings/svt-av1-makes-whoever-opens-it-a-real-time-thread.sh) puts its own threads, and the one that opens it, among the real-time ones, at the
highest priority: whatever they and their children do goes before everything else on the machine, and they never give way.
"""

from __future__ import annotations

import contextlib
import os
import threading
from pathlib import Path
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator

_THREADS = Path("/proc/self/task")


@contextlib.contextmanager
def kept_scheduling() -> Iterator[None]:
    """The calling thread, and those that are begun in the block, are scheduled afterwards as the calling one was before. Linux only."""
    if not hasattr(os, "sched_getscheduler") or not _THREADS.is_dir():
        yield
        return
    policy, priority = os.sched_getscheduler(0), os.sched_getparam(0)
    before = _threads()
    try:
        yield
    finally:
        for thread in {*(_threads() - before), threading.get_native_id()}:
            with contextlib.suppress(ProcessLookupError):  # it has just ended
                if os.sched_getscheduler(thread) != policy:
                    os.sched_setscheduler(thread, policy, priority)


def _threads() -> set[int]:
    return {int(each.name) for each in _THREADS.iterdir()}
