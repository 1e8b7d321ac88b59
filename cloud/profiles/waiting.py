"""How much of one kind of work each client has waiting."""

from __future__ import annotations

import contextlib
from collections import Counter
from typing import TYPE_CHECKING

from cloud.access.refusals import OverQuotaError

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator


class Waiting:
    """Counts what waits, and remembers nobody who has nothing waiting. Used from the event loop only."""

    def __init__(self, most: int, what: str) -> None:
        """At most so many of `what`, in words, for each client."""
        self._most = most
        self._what = what
        self._counts: Counter[Hashable] = Counter()

    @contextlib.contextmanager
    def place(self, client: Hashable) -> Iterator[None]:
        """A place for as long as it is held. Raises OverQuotaError if the client has all of its own in use."""
        if self._counts[client] >= self._most:
            raise OverQuotaError(
                f"this client has {self._counts[client]} {self._what} already; try again in a second",
                accepted={"at_once": self._most},
            )
        self._counts[client] += 1
        try:
            yield
        finally:
            self._counts[client] -= 1
            if not self._counts[client]:
                del self._counts[client]

    def __len__(self) -> int:
        """How many clients have something waiting."""
        return len(self._counts)
