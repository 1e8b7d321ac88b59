"""How a process starts and ends."""

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
    """Run `main` and end the process with its exit status, even if other threads are still running."""
    # Until the event loop handles it: an interrupt in the middle of an import would end in a traceback, or be lost.
    signal.signal(signal.SIGINT, lambda *_: os._exit(130))
    status = main()
    logging.shutdown()
    with contextlib.suppress(OSError):  # a closed pipe or a full disk, both reported before
        sys.stdout.flush()
    # sys.exit() would wait for threads that are loading the model, running a late tail, or blocked in a camera.
    os._exit(status)
