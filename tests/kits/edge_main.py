"""`python -m edge` in this process: arguments of small, quick runs, and how its log lines look."""

from __future__ import annotations

import contextlib
import os
import re
import signal
import threading
import time

from kits.bundles import tiny

LOG_LINE = re.compile(r"\d{4}-\d\d-\d\d \d\d:\d\d:\d\d,\d{3} (INFO|WARNING|ERROR) +[\w.]+: .+")
SMALL = [
    "--model",
    str(tiny().folder),
    "--status-port",
    "0",
    "--threads",
    "1",
    "--precision",
    "float32",
]
NOWHERE = ["--cloud-url", "http://127.0.0.1:1"]
SHORT = ["--source", "synthetic:fps=0,frames=3,width=64,height=48"]
_LONG_S = 200.0
"""Less than a test may take."""
ENDLESS = ["--source", "synthetic:fps=0,width=64,height=48"]


def refused(edge, *arguments):
    """The one line that refuses these arguments."""
    status, out, errors = edge(*arguments)
    assert status == 2
    assert out == ""
    assert len(errors) == 1, errors
    assert errors[0].startswith("splitdnn: ")
    return errors[0].removeprefix("splitdnn: ")


def nothing(_number, _frame):
    """Takes a signal in place of what would end the tests."""


_watched = [threading.Event()]
"""Set once the test that waits for signals is over."""
_sending = threading.Lock()
"""Held from the look at who takes a signal until it is sent: meanwhile no test ends, and gives the signals back."""


@contextlib.contextmanager
def harmless_signals(patch):
    """In the block a signal that main() does not take, or takes no longer, is lost: it is sent to the process of the tests.

    An event loop gives the default back when it closes, so between a look at who takes a signal and the signal there may be nobody.
    """
    numbers, take = (signal.SIGINT, signal.SIGTERM), signal.signal
    before = {number: take(number, nothing) for number in numbers}

    def set_handler(number, handler):
        deadly = handler in (signal.SIG_DFL, signal.default_int_handler)
        return take(number, nothing if deadly and number in numbers else handler)

    patch.setattr(signal, "signal", set_handler)
    try:
        yield
    finally:
        with _sending:
            _watched[0].set()
            _watched[0] = threading.Event()
            for number, handler in before.items():
                take(number, handler)


def _interrupt(number, over):
    """Send this process a signal, if main() is there to take it, in a test that is not over. Whether it was sent."""
    with _sending:
        handled = signal.getsignal(number) not in (signal.SIG_DFL, signal.default_int_handler, nothing)
        handled = handled and not over.is_set()
        if handled:
            os.kill(os.getpid(), number)
        return handled


def send_when(condition, number=signal.SIGTERM):
    """Send this process a signal once `condition` holds and main() takes it, within the test of the fixture `edge`.

    It is sent in the end whatever holds, so that main() ends and the test says what is missing. What a condition asks may not answer yet.
    """
    over = _watched[0]

    def holds():
        with contextlib.suppress(OSError):
            return condition()
        return False

    def watch():
        deadline = time.monotonic() + _LONG_S
        while not over.is_set():
            if (holds() or time.monotonic() > deadline) and _interrupt(number, over):
                return
            time.sleep(0.01)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    return thread
