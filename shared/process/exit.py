"""How a process starts and ends."""

from __future__ import annotations

import atexit
import contextlib
import os
import signal
import sys
from typing import TYPE_CHECKING, NoReturn, TypeVar

if TYPE_CHECKING:
    from collections.abc import Callable


_EXTRAS = {
    "aiohttp": "edge",
    "cv2": "edge",
    "timm": "timm",
    "torch": "torch",
    "torchvision": "torch",
    "tornado": "cloud",
}
"""Module -> the extra of this project that installs it."""
_Action = TypeVar("_Action", bound="Callable[[], object]")

_at_end: list[Callable[[], object]] = []


def at_end(action: _Action) -> _Action:
    """Call `action` when the process ends, unless it is killed. It must not raise. May be used as a decorator."""
    _at_end.append(action)
    atexit.register(action)  # for programs that do not end by `run_process`
    return action


def run_process(main: Callable[[], int]) -> NoReturn:
    """Run `main` and end the process with its exit status, even if other threads are still running.

    Where `main` needs a package that an extra would have installed, the process ends with one line and exit status 2.
    """
    leave_on_interrupt()
    status = _status(main)
    import logging  # noqa: PLC0415 - by now it is there; at the top it would delay leave_on_interrupt

    logging.shutdown()
    with contextlib.suppress(OSError):  # a closed pipe or a full disk, both reported before
        sys.stdout.flush()
    _leave(status)


def leave_on_interrupt() -> None:
    """End the process by an interrupt with status 130, until an event loop handles it.

    Called before what takes long to import, where an interrupt would end in a traceback, or be lost.
    """
    signal.signal(signal.SIGINT, lambda *_: _leave(130))


def leave_on_sigterm() -> None:
    """End the process by SIGTERM as by an interrupt: what is half-written is removed. For commands without an event loop."""
    signal.signal(signal.SIGTERM, lambda *_: _leave(128 + signal.SIGTERM))


def _status(main: Callable[[], int]) -> int:
    try:
        return main()
    except ModuleNotFoundError as error:
        extra = _EXTRAS.get((error.name or "").partition(".")[0])
        if extra is None:
            raise
        print(
            f"splitdnn: {error.name} is not installed; it comes with the extra `{extra}`: pip install 'splitdnn[{extra}]'",
            file=sys.stderr,
        )
        return 2


def _leave(status: int) -> NoReturn:
    for action in _at_end:
        action()
    # sys.exit() would wait for threads that are loading the model, running a late tail, or blocked in a camera.
    os._exit(status)
