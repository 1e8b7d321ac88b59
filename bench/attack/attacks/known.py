"""Every attack by its name, and what the cloud is started with for it."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.attack.attacks import asking, connections, frames, profiles

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from bench.attack.target import Target


@dataclass(frozen=True)
class Attack:
    """One attack."""

    run: Callable[[Target], Awaitable[None]]
    """Goes on until it is cancelled."""
    flags: tuple[str, ...] = ()
    """The cloud's, beside the usual ones."""
    files: int = 0
    """How many descriptors the cloud may have; 0: as many as usual."""
    tls: bool = False


ATTACKS = {
    "heavy frames": Attack(frames.heavy_frames),
    "every split point": Attack(frames.every_split_point),
    "broken frames": Attack(frames.broken_frames),
    "large JSON": Attack(frames.large_json),
    "endless bodies": Attack(connections.endless_bodies),
    "slow bodies": Attack(connections.slow_bodies),
    "unread answers": Attack(connections.unread_answers),
    "idle connections": Attack(connections.idle_connections),
    "no descriptors": Attack(connections.idle_connections, files=connections.FILES),
    "profile uploads": Attack(profiles.profile_uploads),
    "costly profile": Attack(profiles.costly_profile),
    "listings": Attack(asking.listings),
    "tail times": Attack(asking.tail_times),
    "bundles": Attack(asking.bundles, flags=("--serve-bundle",)),
    "logins": Attack(connections.logins),
    "handshakes": Attack(connections.handshakes, tls=True),
}
