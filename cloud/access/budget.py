"""Memory for request bodies: bounded in all and for each client, with a reserve for frames. On the event loop only.

When it is full, what a client with little needs is taken from the client that holds most: its largest body that is still
arriving is given up. So bodies that never end keep nobody out, whoever sends them, and in however many names. What is no frame, JSON
and profiles, has three quarters of it at most, and takes nothing of the last quarter from frames.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol

from cloud.access.refusals import BusyError, DisplacedError, OverQuotaError, SlowBodyError

if TYPE_CHECKING:
    from collections.abc import Callable

    from cloud.access.clients import Account
    from shared.errors import RequestError

_RESERVE = 0.25
"""The share of the budget that only frames may use."""
_AT_ONCE = 16
"""Bodies that are given up in one turn of the event loop: refusing one takes a third of a millisecond."""
PATIENCE_S = 10.0
"""A body may pause for so long, and begins with as much."""


class Owner(Protocol):
    """The request that a body belongs to."""

    def give_up(self, error: RequestError) -> None:
        """Refuse the request, and release its place."""


class Place:
    """What one body holds. Made by BodyBudget."""

    def __init__(self, owner: Owner, account: Account, *, is_frame: bool, now_s: float) -> None:
        self.owner = owner
        self.account = account
        self.is_frame = is_frame
        self.size = 0
        self.arriving = True
        self.until_s = now_s + PATIENCE_S
        """When more bytes must have come."""


class BodyBudget:
    """Keeps count of all bodies."""

    def __init__(
        self,
        limit: int,
        clock: Callable[[], float],
        *,
        min_rate: float,
        changed: Callable[[int], None] = lambda _size: None,
    ) -> None:
        """`limit` is bytes; a body comes at `min_rate` bytes a second or faster; `changed` gets the bytes that are held."""
        self.size = 0
        """Bytes held."""
        self._others_size = 0  # of it, those of bodies that are no frames
        self._limit = limit
        self._others_limit = int((1 - _RESERVE) * limit)
        self._clock = clock
        self._min_rate = min_rate
        self._changed = changed
        self._places: dict[Place, None] = {}  # in order of arrival

    def open(self, owner: Owner, account: Account, *, is_frame: bool) -> Place:
        """A place for a body of which nothing has come yet."""
        place = Place(owner, account, is_frame=is_frame, now_s=self._clock())
        self._places[place] = None
        return place

    def reserve(self, place: Place, size: int) -> None:
        """Room for `size` bytes that have come. Raises OverQuotaError or BusyError, and then holds what it held.

        A place that was given back has none: nobody would give these bytes back.
        """
        if place not in self._places:
            raise BusyError("the memory of this body was given back")
        account = place.account
        if account.body_bytes + size > account.quota.body_bytes:
            raise OverQuotaError(
                f"this client's request bodies hold {account.body_bytes} bytes, and {size} more are above its share",
                accepted={"bytes_under_way": account.quota.body_bytes},
            )
        while not self._fits(place, size):
            other = self._largest(account.body_bytes + size, place, size)
            if other is None:
                raise BusyError("too many request bodies are being received; try again in a second")
            other.owner.give_up(
                DisplacedError("request bodies need more memory than there is, and others hold less of it")
            )
            if other in self._places:  # cannot be, unless its owner does not release it
                self.release(other)
        place.until_s = min(place.until_s + size / self._min_rate, self._clock() + PATIENCE_S)
        self._add(place, size)

    def complete(self, place: Place) -> None:
        """All of the body has come: from now on the server computes, and nobody has to hurry it."""
        place.arriving = False

    def release(self, place: Place) -> None:
        """Free what a body held; may be called twice."""
        if place in self._places:
            del self._places[place]
            self._add(place, -place.size)

    def expire(self) -> int:
        """Give up bodies that come too slowly, a few at a time; returns how many. To be called every second or so."""
        now_s = self._clock()
        late = [place for place in self._places if place.arriving and place.until_s < now_s][:_AT_ONCE]
        for place in late:
            place.owner.give_up(
                SlowBodyError(
                    f"the body stopped for more than {PATIENCE_S:g} s, or comes more slowly than {self._min_rate:g} bytes a second"
                )
            )
            self.release(place)
        return len(late)

    def _fits(self, place: Place, size: int) -> bool:
        return self.size + size <= self._limit and (
            place.is_frame or self._others_size + size <= self._others_limit
        )

    def _largest(self, above: int, asking: Place, size: int) -> Place | None:
        """The largest body that is still arriving of the client that holds most, if that is more than `above` bytes.

        What is no frame takes from frames only what they hold beyond their reserve.
        """
        spare = float("inf")
        if not asking.is_frame:
            too_many_others = self._others_size + size > self._others_limit
            reserve = self._limit - self._others_limit
            spare = 0 if too_many_others else self.size - self._others_size - reserve
        holders = [
            place
            for place in self._places
            if place.arriving
            and place.size
            and (not place.is_frame or place.size <= spare)
            and place.account is not asking.account
            and place.account.body_bytes > above
        ]
        return max(holders, key=lambda place: (place.account.body_bytes, place.size), default=None)

    def _add(self, place: Place, size: int) -> None:
        place.size += size
        place.account.body_bytes += size
        self.size += size
        if not place.is_frame:
            self._others_size += size
        self._changed(self.size)
