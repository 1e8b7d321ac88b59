"""How much of something each client holds."""

from __future__ import annotations

from collections import Counter
from contextlib import contextmanager
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator


class Places:
    """Counts it, and remembers nobody who holds nothing. On the event loop only."""

    def __init__(self) -> None:
        self._held: Counter[Hashable] = Counter()

    def __len__(self) -> int:
        """How many clients hold something."""
        return len(self._held)

    def of(self, client: Hashable) -> int:
        """What this client holds."""
        return self._held[client]

    def total(self) -> int:
        """What all of them hold together."""
        return self._held.total()

    @contextmanager
    def hold(self, client: Hashable, count: int = 1) -> Iterator[None]:
        """So many more, for as long as the block runs."""
        self._held[client] += count
        try:
            yield
        finally:
            self._held[client] -= count
            if not self._held[client]:
                del self._held[client]
