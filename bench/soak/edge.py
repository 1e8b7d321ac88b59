"""One edge of a soak, its records in a file that is counted while it grows."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING

from bench.harness.process import Process

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class EdgeProcess(Process):
    """`python -m edge` until it is stopped."""

    def __init__(self, folder: Path, name: str, flags: Sequence[str]) -> None:
        """`folder` gets its records and its log."""
        self.name = name
        self.results = folder / f"{name}.jsonl"
        self._counted, self._offset = 0, 0
        own = [f"--results={self.results}", "--show=quiet", "--status-port=0"]
        super().__init__(["-m", "edge", *flags, *own], log=folder / f"{name}.log")

    def count(self) -> int:
        if self.results.exists():
            with self.results.open("rb") as file:
                file.seek(self._offset)
                while chunk := file.read(1 << 20):
                    self._counted += chunk.count(b"\n")
                    self._offset += len(chunk)
        return self._counted

    def frames_in(self) -> tuple[int, int]:
        """Frames read, and how many of them were dropped by policy, from its closing summary. Raises RuntimeError."""
        found = re.findall(r"^(?:frames in|dropped) +(\d+)$", self.said(), re.MULTILINE)
        if len(found) != 2:
            raise RuntimeError(f"{self.name} has closed without a summary:\n{self.said()}")
        return int(found[0]), int(found[1])
