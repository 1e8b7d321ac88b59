"""How a process of ours starts and ends."""

from __future__ import annotations

import contextlib
import logging
import os
import signal
import sys
from typing import TYPE_CHECKING, NoReturn

if TYPE_CHECKING:
    from collections.abc import Callable


def run_process(main: Callable[[], int]) -> NoReturn:
    """Run `main` and end the process with its exit status, whatever threads are still at work."""
    # Until the event loop takes it over: an interrupt in the middle of an import would be a traceback, or get lost.
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))
    status = main()
    logging.shutdown()
    with contextlib.suppress(OSError):  # nobody reads it, or a full disk: both were said before
        sys.stdout.flush()
    # sys.exit() would wait for the threads: one that still loads the model, runs a tail past its time, or holds a camera.
    os._exit(status)
