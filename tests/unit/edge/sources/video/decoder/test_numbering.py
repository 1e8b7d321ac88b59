"""Numbers of pictures: as they are shown, with gaps for what is lost, and what may rest on damage."""

from __future__ import annotations

from edge.sources.video.decoder.numbering import Numbering


def play(numbering, *pictures, keys=()):
    """What `shown` says of pictures at these times, each sent just before."""
    told = []
    for pts in pictures:
        numbering.sent(pts, keyframe=pts in keys)
        told.append(numbering.shown(pts, keyframe=pts in keys, unmarked=False, corrupt=False))
    return told


def show(numbering, pts, *, keyframe=False, corrupt=False):
    return numbering.shown(pts, keyframe=keyframe, unmarked=False, corrupt=corrupt)


def test_pictures_are_counted_as_they_are_shown():
    numbering = Numbering()
    for pts in (0, 3, 1, 2):  # the order of decoding
        numbering.sent(pts, keyframe=pts == 0)
    assert [show(numbering, pts, keyframe=pts == 0) for pts in (0, 1, 2, 3)] == [
        (number, 0, False) for number in range(4)
    ]
    assert numbering.ended() == 0


def test_a_packet_that_is_refused_leaves_a_gap_and_doubt_up_to_the_next_key_frame():
    numbering = Numbering()
    play(numbering, 0, 1, keys=(0,))
    numbering.sent(2, keyframe=False)
    numbering.went_wrong()
    assert play(numbering, 3, 4, keys=()) == [(3, 1, True), (4, 0, True)]
    assert play(numbering, 5, 6, keys=(5,)) == [(5, 0, False), (6, 0, False)]


def test_pictures_that_refer_to_a_damaged_one_behind_them_are_in_doubt():
    numbering = Numbering()
    play(numbering, 0, keys=(0,))
    for pts in (3, 1, 2):
        numbering.sent(pts, keyframe=False)
        if pts == 3:
            numbering.went_wrong()
    assert [show(numbering, pts) for pts in (1, 2, 3)] == [(1, 0, True), (2, 0, True), (3, 0, True)]


def test_a_damaged_key_frame_ends_no_doubt():
    numbering = Numbering()
    play(numbering, 0, keys=(0,))
    numbering.sent(1, keyframe=True)
    numbering.went_wrong()
    assert show(numbering, 1, keyframe=True) == (1, 0, True)
    numbering.sent(2, keyframe=True)
    assert show(numbering, 2, keyframe=True, corrupt=True) == (2, 0, True)
    assert play(numbering, 3, 4, keys=(4,)) == [(3, 0, True), (4, 0, False)]


def test_packets_that_are_not_meant_to_be_shown_have_no_number():
    numbering = Numbering()
    play(numbering, 0, 10, keys=(0,))
    numbering.sent(15, keyframe=False)  # as VP8 has them
    assert play(numbering, 20) == [(2, 0, False)]


def test_what_comes_before_the_first_key_frame():
    for joined, expected in ((False, [(2, 2, False), (3, 0, False)]), (True, [(0, 0, False), (1, 0, False)])):
        numbering = Numbering(joined=joined)
        numbering.sent(0, keyframe=False)
        numbering.sent(1, keyframe=False)
        assert play(numbering, 2, 3, keys=(2,)) == expected, joined


def test_a_first_picture_that_refers_to_what_is_not_there_is_in_doubt():
    numbering = Numbering()
    numbering.sent(0, keyframe=False)
    assert show(numbering, 0) == (0, 0, True)
    unmarked = Numbering()
    unmarked.sent(0, keyframe=False)
    assert unmarked.shown(0, keyframe=False, unmarked=True, corrupt=False) == (0, 0, False), "nobody says so"


def test_a_picture_that_comes_too_late_is_not_given():
    numbering = Numbering()
    play(numbering, 0, keys=(0,))
    numbering.went_wrong()
    for pts in (1, 2, 3):
        numbering.sent(pts, keyframe=False)
    assert show(numbering, 3) == (3, 2, True)
    assert show(numbering, 2) is None


def test_without_times_packets_that_fail_are_counted_where_they_fail():
    numbering = Numbering()
    numbering.sent(None, keyframe=True)
    assert show(numbering, None, keyframe=True) == (0, 0, False)
    numbering.sent(None, keyframe=False)
    numbering.went_wrong(refused_without_time=True)
    numbering.sent(None, keyframe=False)
    assert show(numbering, None) == (2, 1, True)


def test_what_is_lost_at_the_end_is_counted():
    numbering = Numbering()
    play(numbering, 0, keys=(0,))
    numbering.sent(1, keyframe=False)
    numbering.went_wrong()
    numbering.sent(2, keyframe=False)
    assert numbering.ended() == 2
    assert numbering.ended() == 0


def test_memory_is_bounded():
    numbering = Numbering()
    for pts in range(10_000):
        numbering.sent(pts, keyframe=False)
        numbering.went_wrong()
    assert len(numbering._waiting) < 2000
    assert len(numbering._damage) < 2000


def test_a_clock_that_is_set_back_costs_nothing():
    numbering = Numbering()
    told = []
    for dts, pts in ((0, 0), (1, 3), (2, 1)):
        numbering.sent(pts, dts=dts, keyframe=pts == 0)
    told += [show(numbering, pts, keyframe=pts == 0) for pts in (0, 1)]
    for dts, pts in ((0, 0), (1, 2)):  # another recording, before the last picture of the first one is shown
        numbering.sent(pts, dts=dts, keyframe=pts == 0)
    numbering.went_wrong()
    told += [show(numbering, pts, keyframe=key) for pts, key in ((3, False), (0, True), (2, False))]
    assert [(number, lost) for number, lost, _ in told] == [(number, 0) for number in range(5)]
