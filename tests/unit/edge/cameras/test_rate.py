"""Which frames are taken where fewer are wanted than there are."""

from __future__ import annotations

import itertools

from hypothesis import given
from hypothesis import strategies as st

from edge.cameras.rate import Rate


def taken(fps, times):
    rate = Rate(fps)
    return [time for time in times if rate.takes(time)]


def at(fps, seconds):
    return [number / fps for number in range(int(fps * seconds))]


def test_all_frames_without_a_rate_and_all_that_have_no_time():
    assert taken(0, at(25, 2)) == at(25, 2)
    assert taken(1, [None] * 10) == [None] * 10


def test_as_many_as_are_wanted_and_evenly():
    for source, wanted in ((25, 5), (30, 10), (25, 10), (24, 23.976), (10, 3), (100, 1), (30, 0.5)):
        found = taken(wanted, at(source, 40))
        assert abs(len(found) - 40 * wanted) <= 1, (source, wanted)
        gaps = [later - earlier for earlier, later in itertools.pairwise(found)]
        assert max(gaps) - min(gaps) <= 1 / source + 1e-9, (source, wanted)


def test_a_source_that_is_no_faster_loses_no_frame():
    assert taken(30, at(25, 4)) == at(25, 4)
    assert len(taken(25, at(25, 4))) == 100
    jittered = [time + (0.004 if number % 2 else -0.004) for number, time in enumerate(at(25, 4), 1)]
    assert len(taken(25, jittered)) == 100


def test_nothing_is_made_up_for_after_a_pause():
    times = [*at(25, 2), *(100 + time for time in at(25, 2))]
    assert len([time for time in taken(5, times) if time >= 100]) == 10


def test_a_clock_that_begins_anew():
    found = taken(5, [*at(25, 10), *at(25, 10)])
    assert abs(len(found) - 100) <= 2


@given(st.floats(0.1, 60), st.lists(st.floats(0, 0.2), min_size=1, max_size=300))
def test_never_more_than_wanted_in_the_long_run(fps, gaps):
    times = list(itertools.accumulate(gaps))
    assert len(taken(fps, times)) <= (times[-1] - times[0]) * fps + 2
