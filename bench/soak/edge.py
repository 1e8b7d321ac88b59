"""One edge of a soak, its records in a file that is counted while it grows."""

from __future__ import annotations

import re
import signal
import subprocess
import sys
from typing import TYPE_CHECKING

from bench.harness.system import ROOT, environment
from bench.soak.ledger import read_rows

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bench.soak.ledger import Row

_END_S = 60.0


class EdgeProcess:
    """`python -m edge` until it is stopped."""

    def __init__(self, folder: Path, name: str, flags: Sequence[str]) -> None:
        """`folder` gets its records and what it says. It is started here."""
        self.name = name
        self.results = folder / f"{name}.jsonl"
        self._log = folder / f"{name}.log"
        self._counted, self._offset = 0, 0
        with self._log.open("wb") as log:
            self._process = subprocess.Popen(
                [
                    sys.executable, "-m", "edge", *flags, "--results", str(self.results), "--show", "quiet",
                    "--status-port", "0",
                ],
                cwd=ROOT, env=environment(), stdout=log, stderr=log,
            )  # fmt: skip
        self.pid = self._process.pid

    def count(self) -> int:
        """Records so far."""
        if self.results.exists():
            with self.results.open("rb") as file:
                file.seek(self._offset)
                while piece := file.read(1 << 20):
                    self._counted += piece.count(b"\n")
                    self._offset += len(piece)
        return self._counted

    def is_up(self) -> bool:
        return self._process.poll() is None

    def ask_to_stop(self) -> None:
        """SIGTERM: it answers what it has read."""
        if self.is_up():
            self._process.send_signal(signal.SIGTERM)

    def wait(self) -> int:
        """Its exit status. Raises TimeoutExpired."""
        return self._process.wait(_END_S)

    def close(self) -> None:
        """SIGKILL, if it runs still; again does nothing."""
        if self.is_up():
            self._process.kill()
            self._process.wait()

    def records(self) -> list[Row]:
        return read_rows(self.results)

    def frames_in(self) -> tuple[int, int]:
        """Frames read, and those of them that were dropped by policy: as it said at its end. Raises RuntimeError."""
        found = re.findall(r"^(?:frames in|dropped) +(\d+)$", self._text(), re.MULTILINE)
        if len(found) != 2:
            raise RuntimeError(f"{self.name} has closed without a summary:\n{self.said()}")
        return int(found[0]), int(found[1])

    def said(self) -> str:
        """The end of its log."""
        return self._text()[-3000:]

    def _text(self) -> str:
        return self._log.read_text(encoding="utf-8", errors="replace")
