"""One place of its own for each camera, and some that are shared."""

from __future__ import annotations

from hypothesis import given
from hypothesis import strategies as st

from edge.frames.allowance import Allowance

CAMERAS = "abcd"


def test_one_camera_may_take_all_that_is_shared_and_no_other_ones_own():
    places = Allowance(2)
    for _ in range(3):
        assert places.has_room("a")
        places.take("a")
    assert not places.has_room("a")
    assert places.has_room("b")
    places.take("b")
    assert not places.has_room("b"), "the shared ones are taken"
    places.give_back("a")
    assert places.has_room("b")
    assert places.has_room("a")


@given(st.integers(0, 4), st.lists(st.tuples(st.sampled_from(CAMERAS), st.booleans())))
def test_whatever_is_taken_and_given_back(shared, moves):
    places, used = Allowance(shared), dict.fromkeys(CAMERAS, 0)
    for camera, comes in moves:
        if comes and places.has_room(camera):
            places.take(camera)
            used[camera] += 1
        elif not comes and used[camera]:
            places.give_back(camera)
            used[camera] -= 1
        beyond = sum(max(0, count - 1) for count in used.values())
        assert beyond <= shared
        for each, count in used.items():
            assert places.has_room(each) == (count == 0 or beyond < shared), (each, used)
