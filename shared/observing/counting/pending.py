"""What was counted and is not added up yet: counting is an append, which needs no lock, and whoever reads adds up."""

from __future__ import annotations

from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

MOST = 256
"""So many amounts are kept at most: 8 kB a series."""


class Pending:
    """The amounts of one series, in the order in which they came. For any thread."""

    __slots__ = ("_add_up", "_amounts", "_lock")

    def __init__(self, add_up: Callable[[list[float]], None]) -> None:
        """`add_up` is given each amount once, several at a time, by one thread at a time."""
        self._add_up = add_up
        self._amounts: list[float] = []
        self._lock = Lock()

    def put(self, amount: float) -> None:
        """Count one amount."""
        amounts = self._amounts
        amounts.append(amount)
        if len(amounts) >= MOST:
            self.flush()

    def flush(self) -> None:
        """Add up what there is."""
        amounts = self._amounts
        with self._lock:
            count = len(amounts)  # others may append meanwhile, behind these
            taken = amounts[:count]
            del amounts[:count]
            self._add_up(taken)
