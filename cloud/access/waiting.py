"""How much of one kind of work each client has waiting."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from cloud.access.places import Places
from cloud.access.refusals import OverQuotaError

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator


class Waiting:
    """Bounds what waits. Used from the event loop only."""

    def __init__(self, most: int, what: str) -> None:
        """At most so many of `what`, in words, for each client."""
        self._most = most
        self._what = what
        self._places = Places()

    @contextlib.contextmanager
    def place(self, client: Hashable) -> Iterator[None]:
        """A place for as long as it is held. Raises OverQuotaError if the client has all of its own in use."""
        own = self._places.of(client)
        if own >= self._most:
            raise OverQuotaError(
                f"this client has {own} {self._what} already; try again in a second",
                accepted={"at_once": self._most},
            )
        with self._places.hold(client):
            yield

    def __len__(self) -> int:
        """How many clients have something waiting."""
        return len(self._places)
