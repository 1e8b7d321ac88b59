"""Objects: which boxes are the same one, when it is there, when it has left."""

from __future__ import annotations

import numpy as np
import pytest

from edge.output.events.tracks import MAX_TRACKS, Tracks
from shared.tasks.detection.boxes import Box

PERIOD_S = 0.1
NAMES = ("car", "bus")


def box(x, y=0.0, *, side=20.0, kind=0, score=0.8):
    return Box(kind, NAMES[kind], score, (float(x), float(y), float(x + side), float(y + side)))


def play(tracks, frames, start=0):
    """What each frame tells, as (frame, `+` or `-`, track)."""
    found = []
    for number, boxes in enumerate(frames, start):
        appeared, left = tracks.look(boxes, PERIOD_S * number)
        found += [(number, "-", each.number) for each in left] + [
            (number, "+", each.number) for each in appeared
        ]
    return found


def test_an_object_is_told_when_it_has_been_seen_often_enough_and_when_it_has_been_away_long_enough():
    tracks = Tracks(3, 0.5)
    assert play(tracks, [[box(5)]] * 10 + [[]] * 20) == [(2, "+", 1), (15, "-", 1)]


def test_what_is_seen_too_few_times_in_a_row_is_never_told():
    flicker = [[box(5)], [box(5)], []] * 20
    assert play(Tracks(3, 0.5), flicker) == []


def test_a_short_absence_is_none():
    tracks = Tracks(3, 0.5)
    assert play(tracks, [[box(5)]] * 5 + ([[]] * 4 + [[box(5)]] * 2) * 5) == [(2, "+", 1)]


def test_the_time_in_which_nothing_was_answered_is_no_absence():
    tracks = Tracks(1, 0.5)
    assert play(tracks, [[box(5)]]) == [(0, "+", 1)]
    assert play(tracks, [[]] * 5, start=1000) == []
    assert play(tracks, [[]], start=1005) == [(1005, "-", 1)]


def test_it_says_when_it_was_seen_and_where_last():
    tracks = Tracks(1, 0.5)
    play(tracks, [[box(0.1 * number, score=0.9)] for number in range(11)])
    _, [left] = [tracks.look([], at) for at in (1.1, 1.6)][-1]
    assert left.seen_s == 1.0
    assert left.box.corners[0] == pytest.approx(1.0)


def test_one_that_there_is_no_room_to_follow_is_not_told():
    tracks = Tracks(1, 10.0)
    row = [box(100 * number) for number in range(MAX_TRACKS)]
    assert len(tracks.look(row, 0.0)[0]) == MAX_TRACKS
    for at in (0.1, 0.2, 0.3):
        assert tracks.look([box(100 * number, y=500.0) for number in range(MAX_TRACKS)], at) == ([], [])


def test_two_classes_in_one_place_are_two_objects():
    both = [box(0, kind=0), box(1, kind=1)]
    assert play(Tracks(2, 0.5), [both, both[::-1], both]) == [(1, "+", 1), (1, "+", 2)]


def test_objects_that_move_and_pass_each_other_keep_their_numbers():
    tracks = Tracks(2, 0.5)
    frames = [[box(8 * step, 0), box(400 - 8 * step, 25)] for step in range(50)]
    assert play(tracks, frames) == [(1, "+", 1), (1, "+", 2)]
    assert sorted(each.box.corners[1] for each in tracks.followed) == [0.0, 25.0]
    assert [each.box.corners[1] for each in sorted(tracks.followed, key=lambda each: each.number)] == [
        0.0,
        25.0,
    ]


def test_a_box_that_overlaps_too_little_is_another_object():
    tracks = Tracks(1, 0.5)
    assert play(tracks, [[box(0)], [box(10)], [box(24)]]) == [(0, "+", 1), (2, "+", 2)]


def test_the_pair_that_overlaps_most_goes_first():
    tracks = Tracks(1, 0.5)
    play(tracks, [[box(0), box(12)]])
    play(tracks, [[box(11), box(2)]], start=1)
    assert {each.number: each.box.corners[0] for each in tracks.followed} == {1: 2.0, 2: 11.0}


def test_a_crowd_is_bounded():
    rng = np.random.default_rng(7)
    tracks = Tracks(1, 1e9)
    for number in range(20):
        places = rng.integers(0, 100_000, (300, 2))
        tracks.look([box(x, y) for x, y in places.tolist()], PERIOD_S * number)
        assert len(tracks.followed) <= MAX_TRACKS


def test_nothing_seen_costs_nothing_and_a_recording_may_begin_again():
    tracks = Tracks(1, 0.5)
    assert tracks.look([], 0.0) == ([], [])
    tracks.look([box(0)], 100.0)
    assert tracks.look([], 100.1) == ([], [])
    assert tracks.look([], 0.0) == ([], []), "the clock went back: the absence begins here"
    assert tracks.look([], 0.4) == ([], [])
    _, [left] = tracks.look([], 0.5)
    assert left.seen_s == 0.0
