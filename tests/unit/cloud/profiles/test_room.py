"""Whose profile leaves for whose: nobody's cost is another's."""

from __future__ import annotations

import pytest
from kits.naming import naming

from cloud.access.refusals import OverQuotaError
from cloud.profiles.room import IN_USE_S, Place, staying
from shared.limits import (
    MAX_CLIENT_PROFILE_BYTES,
    MAX_CLIENT_PROFILES,
    MAX_PROFILE_HELD_BYTES,
    MAX_PROFILES,
    MAX_PROFILES_BYTES,
)

MB = 1 << 20


def places(*given: tuple[str, int], used: float = 0.0) -> dict[str, Place]:
    """So many profiles of each client, of 1 MB each: `a0`, `a1`, …"""
    return {
        f"{client}{number}": Place(MB, used, {client}) for client, count in given for number in range(count)
    }


def gone(
    found: dict[str, Place], client: str, held_bytes: int = MB, now: float = 0.0
) -> tuple[list[str], dict[str, set[object]]]:
    kept = staying(found, client, held_bytes, now)
    return [name for name in found if name not in kept], kept


def test_with_room_nothing_goes() -> None:
    assert gone({}, "a")[0] == []
    assert gone(places(("a", MAX_CLIENT_PROFILES - 1), ("b", 5)), "a")[0] == []


def test_beyond_its_share_a_client_loses_its_own_oldest() -> None:
    assert gone(places(("b", 3), ("a", MAX_CLIENT_PROFILES)), "a")[0] == ["a0"]
    large = MAX_CLIENT_PROFILE_BYTES - 2 * MB
    assert gone(places(("b", 3), ("a", 5)), "a", large)[0] == ["a0", "a1", "a2"]


def test_what_frames_name_is_the_last_that_a_client_loses() -> None:
    """Two edges behind one address are one client: the one that sends many must not cost the other its profile."""
    own = places(("a", MAX_CLIENT_PROFILES))
    own["a0"].framed = 0.0
    assert gone(own, "a")[0] == ["a1"]
    assert gone(own, "a", now=IN_USE_S)[0] == ["a0"]
    for place in own.values():
        place.framed = 0.0
    assert gone(own, "a")[0] == ["a0"]


def test_a_single_large_one_is_taken() -> None:
    assert gone(places(("b", 3), ("a", 2)), "a", MAX_PROFILE_HELD_BYTES)[0] == ["a0", "a1"]
    assert MAX_PROFILE_HELD_BYTES <= MAX_PROFILES_BYTES


def test_when_all_places_are_taken_what_nobody_uses_goes() -> None:
    full = places(*((client, 1) for client in "bcdefghijklmnopqrstuvwxyzABCDEFG"))
    assert len(full) == MAX_PROFILES
    full["d0"].used = -IN_USE_S
    assert gone(full, "a")[0] == ["d0"]
    full["d0"].used = 0.0
    with pytest.raises(OverQuotaError, match="in use"):
        staying(full, "a", MB, IN_USE_S / 2)


def test_then_the_oldest_of_who_has_most() -> None:
    full = places(("b", 8), ("c", 7), ("d", 8), ("e", 8), ("f", 1))
    assert len(full) == MAX_PROFILES
    (name,), _ = gone(full, "a")
    assert name in ("b0", "d0", "e0")


def test_a_clients_last_one_in_use_is_never_taken() -> None:
    few = places(("b", 1), ("c", 4))
    few["b0"].held_bytes = MAX_PROFILES_BYTES // 2
    for number in range(4):
        few[f"c{number}"].held_bytes = MAX_PROFILES_BYTES // 8
    assert gone(few, "a", MAX_PROFILES_BYTES // 16)[0] == ["c0"]
    alone = places(("b", 1), ("c", 1))
    for place in alone.values():
        place.held_bytes = MAX_PROFILES_BYTES // 2
    with pytest.raises(OverQuotaError):
        staying(alone, "a", MB, 0.0)


def test_two_clients_that_send_the_same_have_no_more_than_each() -> None:
    """Otherwise what both own would be nobody's to lose."""
    both = places(("b", MAX_CLIENT_PROFILES))
    for place in both.values():
        place.owners.add("c")
    names, kept = gone(both, "b")
    assert (names, kept["b0"]) == ([], {"c"})
    for place, own in zip(both.values(), kept.values(), strict=True):
        place.owners = own
    assert gone(both, "c")[0] == ["b0"]


def test_a_full_store_of_accomplices_still_takes_an_honest_one() -> None:
    clients = [f"x{number}" for number in range(MAX_PROFILES // MAX_CLIENT_PROFILES)]
    for others in (set(), set(clients)):
        full = {
            f"{client}-{number}": Place(MB, 0.0, {client} | others)
            for client in clients
            for number in range(MAX_CLIENT_PROFILES)
        }
        with naming(others):
            assert len(full) == MAX_PROFILES
            assert len(gone(full, "honest")[0]) == 1
