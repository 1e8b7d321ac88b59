"""How far work on a command line is."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from typing import TextIO

_WIDTH = 30


class Progress:
    """How far the work is: one line that is rewritten on a terminal, one line for each step elsewhere."""

    def __init__(self, out: TextIO) -> None:
        self._out = out
        self._terminal = out.isatty()
        self._step = ""

    def show(self, step: str, done: int = 0, total: int = 0) -> None:
        """Show that `step` is under way and `done` of `total` is done; without a total, `done` alone."""
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
