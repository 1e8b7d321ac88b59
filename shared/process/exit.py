"""How a process starts and ends."""

from __future__ import annotations

import atexit
import contextlib
import logging
import os
import signal
import sys
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable


_at_end: list[Callable[[], object]] = []


def at_end(action: Callable[[], object]) -> None:
    """Call `action` when the process ends, unless it is killed. It must not raise."""
    _at_end.append(action)
    atexit.register(action)  # for programs that do not end by `run_process`


def run_process(main: Callable[[], int]) -> NoReturn:
    """Run `main` and end the process with its exit status, even if other threads are still running."""
    # Until the event loop handles it: an interrupt in the middle of an import would end in a traceback, or be lost.
    signal.signal(signal.SIGINT, lambda *_: _leave(130))
    status = main()
    logging.shutdown()
    with contextlib.suppress(OSError):  # a closed pipe or a full disk, both reported before
        sys.stdout.flush()
    _leave(status)


def _leave(status: int) -> NoReturn:
    for action in _at_end:
        action()
    # sys.exit() would wait for threads that are loading the model, running a late tail, or blocked in a camera.
    os._exit(status)
