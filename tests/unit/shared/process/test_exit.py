"""What is to be done at a process's end is done, however it ends by itself."""

from __future__ import annotations

import subprocess
import sys

import pytest
from kits.common import ROOT

HEAD = """
import os, signal, sys, threading
from shared.process.exit import at_end, run_process
signal.signal(signal.SIGINT, signal.default_int_handler)
at_end(lambda: print("tidied", flush=True))
"""
ENDS = {
    "run_process(lambda: 3)": 3,
    "threading.Thread(target=threading.Event().wait).start(); run_process(lambda: 4)": 4,
    "run_process(lambda: os.kill(os.getpid(), signal.SIGINT))": 130,
    "sys.exit(5)": 5,
}


@pytest.mark.slow
def test_actions_for_the_end_are_done_once() -> None:
    for end, status in ENDS.items():
        done = subprocess.run(
            [sys.executable, "-c", HEAD + end],
            cwd=ROOT,
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stdout) == (status, "tidied\n"), (end, done.stderr)
