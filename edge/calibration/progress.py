"""One line that says how far it is, on a terminal; one line a step elsewhere."""

from __future__ import annotations

from typing import TextIO

_WIDTH = 30


class Progress:
    """Writes to `out`, usually stderr."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._terminal = out.isatty()
        self._step = ""

    def show(self, step: str, done: int = 0, total: int = 0) -> None:
        """`done` of `total`; without a total, `done` alone."""
        if self._terminal:
            filled = _WIDTH * done // total if total else 0
            bar = f"[{'#' * filled}{'.' * (_WIDTH - filled)}] {done}/{total}" if total else str(done or "…")
            self._out.write(f"\r\x1b[K{step} {bar}")
            self._out.flush()
        elif step != self._step:
            self._out.write(f"{step} …\n")
        self._step = step

    def close(self) -> None:
        """Leave a clean line behind."""
        if self._terminal:
            self._out.write("\r\x1b[K")
            self._out.flush()
