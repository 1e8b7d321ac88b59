"""Which profiles go when another comes: their sender's own first, and nobody else's that are in use.

A client may have a few profiles. Beyond that its own oldest makes room. Only when all places are taken does anything of others go: what no
frame has named for a while, and then the oldest of a client that has more than the one that asks would have, which keeps its last.
"""

from __future__ import annotations

import math
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from cloud.access.refusals import OverQuotaError
from shared.limits import MAX_CLIENT_PROFILE_BYTES, MAX_CLIENT_PROFILES, MAX_PROFILES, MAX_PROFILES_BYTES

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterable, Mapping, Sequence

IN_USE_S = 60.0
"""A profile is in use for so long after the latest frame that named it, or after it came."""


@dataclass(eq=False, slots=True)
class Place:
    """One profile's: how many bytes it takes, whose it is and when it was used."""

    held_bytes: int
    used: float
    """On the store's clock."""
    owners: set[Hashable] = field(default_factory=set)
    """The clients that have sent it."""
    framed: float = -math.inf
    """When a frame last named it."""


def staying(
    places: Mapping[str, Place], client: Hashable, held_bytes: int, now: float
) -> dict[str, set[Hashable]]:
    """The names that stay beside another profile of `client`, of so many bytes, each with whose it is then.

    `places`: least recently used first. What two clients have sent leaves when both have lost it, and counts as both's till then. Raises
    OverQuotaError if all places are in use by clients that have no more than this one.
    """
    owners = {name: set(place.owners) for name, place in places.items()}
    _keep_to_quota(places, owners, client, held_bytes, now)
    while len(owners) >= MAX_PROFILES or _bytes_of(places, owners) + held_bytes > MAX_PROFILES_BYTES:
        idle = next((name for name in owners if now - places[name].used >= IN_USE_S), None)
        if idle is not None:
            del owners[idle]
        elif greedy := _greediest(places, owners, client, held_bytes):
            _lose(owners, _of(owners, greedy[0])[0], greedy[0])
        else:
            raise OverQuotaError(
                f"all {len(places)} places for profiles are in use; try again later",
                accepted={"profiles": MAX_PROFILES, "bytes": MAX_PROFILES_BYTES},
            )
    return owners


def _keep_to_quota(
    places: Mapping[str, Place],
    owners: dict[str, set[Hashable]],
    client: Hashable,
    held_bytes: int,
    now: float,
) -> None:
    """The client loses what is too many with the new one: what no frame names, then its oldest. A single large one is taken."""
    while own := sorted(_of(owners, client), key=lambda name: now - places[name].framed < IN_USE_S):
        if len(own) < MAX_CLIENT_PROFILES and _bytes_of(places, own) + held_bytes <= MAX_CLIENT_PROFILE_BYTES:
            return
        _lose(owners, own[0], client)


def _greediest(
    places: Mapping[str, Place], owners: dict[str, set[Hashable]], client: Hashable, held_bytes: int
) -> tuple[Hashable] | None:
    """The client that has most of what is short: places or bytes. None if that is no more than `client` would have."""
    by_count = len(owners) >= MAX_PROFILES

    def share(own: Sequence[str]) -> int:
        return len(own) if by_count else _bytes_of(places, own)

    most = share(_of(owners, client)) + (1 if by_count else held_bytes)
    found = None
    for other in {each for those in owners.values() for each in those} - {client}:
        own = _of(owners, other)
        if len(own) > 1 and share(own) > most:
            found, most = (other,), share(own)
    return found


def _of(owners: Mapping[str, set[Hashable]], client: Hashable) -> list[str]:
    return [name for name, those in owners.items() if client in those]


def _lose(owners: dict[str, set[Hashable]], name: str, client: Hashable) -> None:
    owners[name].discard(client)
    if not owners[name]:
        del owners[name]


def _bytes_of(places: Mapping[str, Place], names: Iterable[str]) -> int:
    return sum(places[name].held_bytes for name in names)
