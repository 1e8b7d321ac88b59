"""What may come in thousands and must not fill the log."""

from __future__ import annotations


class Tally:
    """Counts, and says at 1, 2, 4, 8, … that it is time for a line."""

    def __init__(self) -> None:
        self.total = 0
        self._next = 1

    def add(self, count: int) -> bool:
        """Whether the total has come to the next of these."""
        self.total += count
        due = self.total >= self._next
        while self._next <= self.total:
            self._next *= 2
        return due
