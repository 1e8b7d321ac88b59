"""How many files of bundles are being sent: few at once, and fewer to one client."""

from __future__ import annotations

from contextlib import contextmanager
from typing import TYPE_CHECKING

from cloud.access.places import Places
from cloud.access.refusals import TransfersError

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator

MAX_TRANSFERS = 4
"""Files that are sent at once. Each holds one chunk in memory, and takes the link that answers to frames take."""
MAX_TRANSFERS_A_CLIENT = 2


class Transfers:
    """Counts them. On the event loop only."""

    def __init__(self) -> None:
        self._places = Places()

    def __len__(self) -> int:
        """How many are under way."""
        return self._places.total()

    @contextmanager
    def one(self, client: Hashable) -> Iterator[None]:
        """Hold one transfer's place for as long as the block runs. Raises TransfersError."""
        if len(self) >= MAX_TRANSFERS or self._places.of(client) >= MAX_TRANSFERS_A_CLIENT:
            raise TransfersError(
                "too many files of bundles are being fetched; try again in a second",
                accepted={"at_once": MAX_TRANSFERS, "by_one_client": MAX_TRANSFERS_A_CLIENT},
            )
        with self._places.hold(client):
            yield
