"""A bundle's folder is followed: what is put there is taken, and what it held before is kept for as long as it is used."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from cloud.networks.networks import EARLIER_S
from cloud.networks.watch import INTERVAL_S

if TYPE_CHECKING:
    import pytest
    from kits.watching import Follower


def test_a_folder_that_does_not_change_is_not_read_again(follower: Follower) -> None:
    follower.look(10)
    assert (follower.loads, follower.changes, follower.counted()) == (0, 0, {})


def test_another_bundle_becomes_the_current_network_and_the_earlier_one_is_held(
    follower: Follower, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.INFO)
    follower.replace(1)
    follower.look(1)
    assert follower.current == "number 0"  # it may still be written
    follower.look(1)
    assert follower.current == "number 1"
    assert follower.networks.earlier() == [b"number 0".hex()]
    assert (follower.loads, follower.changes, follower.counted()) == (1, 1, {"taken": 1})
    assert f"fingerprint {b'number 1'.hex()} is the current network now" in caplog.text
    follower.look(5)
    assert follower.loads == 1


def test_the_tails_in_use_are_ready_before_it_is_current(follower: Follower) -> None:
    follower.networks.current.usage.note("layer4")
    follower.now += 1
    before = follower.networks.current
    before.usage.note("layer1")
    follower.replace(1)
    follower.look()
    current = follower.networks.current
    assert current is not before
    assert all(current.tails.is_ready(name) for name in ("layer1", "layer4"))
    assert not current.engine.compiled, "they are in its chains"  # type: ignore[attr-defined]


def test_going_back_takes_what_is_held_and_loads_nothing(follower: Follower) -> None:
    first = follower.networks.current
    follower.replace(1)
    follower.look()
    follower.back()
    follower.look()
    assert follower.networks.current is first
    assert follower.networks.earlier() == [b"number 1".hex()]
    assert (follower.loads, follower.counted()) == (1, {"taken": 2})


def test_the_same_bundle_written_again_is_no_change(follower: Follower) -> None:
    first = follower.networks.current
    follower.replace(0)
    follower.look()
    assert follower.networks.current is first
    assert (follower.loads, follower.changes, follower.counted()) == (0, 0, {})


def test_an_earlier_network_that_nobody_uses_is_dropped_and_its_memory_given_back(
    follower: Follower, given_back: list[bool]
) -> None:
    follower.replace(1)
    follower.look()
    for _ in range(int(EARLIER_S / INTERVAL_S) + 5):
        follower.networks.of("frame", b"number 0")
        follower.look(1)
    assert follower.networks.earlier() == [b"number 0".hex()]
    assert not given_back
    follower.look(int(EARLIER_S / INTERVAL_S) + 1)
    assert follower.networks.earlier() == []
    assert (len(given_back), follower.changes) == (1, 2)
