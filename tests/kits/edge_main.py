"""`python -m edge` in this process: arguments of small, quick runs, and how its log lines look."""

from __future__ import annotations

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
ENDLESS = ["--source", "synthetic:fps=0,width=64,height=48"]


def refused(edge, *arguments):
    """The one line that refuses these arguments."""
    status, out, errors = edge(*arguments)
    assert status == 2
    assert out == ""
    assert len(errors) == 1, errors
    assert errors[0].startswith("splitdnn: ")
    return errors[0].removeprefix("splitdnn: ")


def interrupt(number=signal.SIGTERM):
    """Send this process a signal, if main() is there to take it: without, it would end the tests. Whether it was sent."""
    handled = signal.getsignal(number) not in (signal.SIG_DFL, signal.default_int_handler)
    if handled:
        os.kill(os.getpid(), number)
    return handled


def send_when(condition, number=signal.SIGTERM):
    """Send this process a signal once `condition` holds and main() takes it."""

    def watch():
        deadline = time.monotonic() + 30
        while time.monotonic() < deadline:
            if condition() and interrupt(number):
                return
            time.sleep(0.01)

    thread = threading.Thread(target=watch, daemon=True)
    thread.start()
    return thread
