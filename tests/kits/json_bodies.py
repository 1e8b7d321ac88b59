"""Readers of JSON bodies that misbehave: programs to be run in the place of cloud/bodies/json_worker.py."""

from __future__ import annotations

import os
import sys
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_SERVE = "from cloud.bodies.json_worker import main; main()"


def program(code: str) -> tuple[str, ...]:
    return (sys.executable, "-c", code)


def first_time(marker: Path, code: str) -> tuple[str, ...]:
    """The first process does this; those that follow read bodies."""
    return program(
        f"import os, signal, sys, threading\n"
        f"if not os.path.exists({str(marker)!r}):\n    open({str(marker)!r}, 'x').close()\n    {code}\n{_SERVE}"
    )


DIE = "sys.stdin.buffer.read(1); os.kill(os.getpid(), signal.SIGKILL)"
HANG = "threading.Event().wait(3600)"
BABBLE = "sys.stdout.write('no answer' * 10); sys.exit(3)"


class GatedReader:
    """A reader that begins when it is let: `open` may be called once."""

    def __init__(self, folder: Path) -> None:
        self._path = folder / "gate"
        os.mkfifo(self._path)
        self.command = program(f"open({str(self._path)!r}, 'rb').close()\n{_SERVE}")

    def open(self) -> None:
        """Waits until the process is there."""
        os.close(os.open(self._path, os.O_WRONLY))
