"""Which core a process is given, and its priority, where this one may raise it again."""

from __future__ import annotations

import contextlib
import os
import resource
from typing import TYPE_CHECKING

from bench.harness.process import PROC

if TYPE_CHECKING:
    from collections.abc import Iterator

LOWER_BY = 10
_LOWEST = 19
_OF_LIMIT = 20
"""A limit of n allows niceness down to 20 - n."""


def own_niceness() -> int:
    return os.getpriority(os.PRIO_PROCESS, 0)


def may_raise(niceness: int) -> bool:
    """Whether a process that was given a lower priority may be given this one back."""
    return os.geteuid() == 0 or _OF_LIMIT - resource.getrlimit(resource.RLIMIT_NICE)[0] <= niceness


def set_niceness(pid: int, niceness: int) -> None:
    """For all threads that a process has now; later ones take it from those that start them."""
    for thread in (PROC / str(pid) / "task").iterdir():
        with contextlib.suppress(ProcessLookupError):  # it has just ended
            os.setpriority(os.PRIO_PROCESS, int(thread.name), niceness)


@contextlib.contextmanager
def lowered(pid: int) -> Iterator[bool]:
    """Everything else goes before this process meanwhile; whether that is so, as not everybody may raise a priority again."""
    own = own_niceness()
    if not may_raise(own):
        yield False
        return
    with contextlib.suppress(FileNotFoundError):  # the process has ended
        set_niceness(pid, min(_LOWEST, own + LOWER_BY))
    try:
        yield True
    finally:
        with contextlib.suppress(FileNotFoundError):
            set_niceness(pid, own)


@contextlib.contextmanager
def on_core(core: int) -> Iterator[None]:
    """What is started in the block keeps to this core."""
    before = os.sched_getaffinity(0)
    os.sched_setaffinity(0, {core})
    try:
        yield
    finally:
        os.sched_setaffinity(0, before)
