"""What is to be done at a process's end is done, however it ends by itself; and an interrupt at its start ends it quietly."""

from __future__ import annotations

import os
import subprocess
import sys
from typing import TYPE_CHECKING

import pytest
from kits.common import ROOT

if TYPE_CHECKING:
    from pathlib import Path

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


INTERRUPTS = (
    "import os, signal\nos.kill(os.getpid(), signal.SIGINT)\nraise ImportError('was not interrupted')\n"
)
"""A module that interrupts the process which imports it, as a terminal may."""
COMMANDS = (
    "edge",
    "edge calibrate",
    "cloud",
    "shared.bundling {} x 1",
    "splitdnn edge",
    "splitdnn cloud",
    "splitdnn bundle",
    "splitdnn back",
    "splitdnn prepare",
    "splitdnn calibrate",
    "splitdnn bench speed",
)


@pytest.mark.slow
def test_an_interrupt_during_imports_leaves_no_traceback(tmp_path: Path) -> None:
    for name in (
        "pydantic",
        "numpy",
    ):  # the first that takes long, of those with settings and of those without
        (tmp_path / f"{name}.py").write_text(INTERRUPTS)
    for command in COMMANDS:
        done = subprocess.run(
            [sys.executable, "-m", *command.split()],
            cwd=ROOT,
            env=os.environ | {"PYTHONPATH": str(tmp_path)},
            capture_output=True,
            text=True,
            timeout=60,
            check=False,
        )
        assert (done.returncode, done.stderr) == (130, ""), command
