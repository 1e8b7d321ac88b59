"""A class change is told once it holds, and one that flickers is not."""

from __future__ import annotations

import pytest

from edge.output.events.event import MAX_TOLD
from edge.output.events.seen import Seen

PERIOD_S = 0.1


def top(label, score=0.5):
    return {"class_id": ord(label[0]), "label": label, "probability": score}


def told(seen, labels, start=0.0):
    """The labels told, each with the number of the frame that told it."""
    changes = [
        (number, seen.look(top(label), start + PERIOD_S * number)) for number, label in enumerate(labels)
    ]
    return [(number, change["before"], change["label"]) for number, change in changes if change]


@pytest.mark.parametrize(
    ("frames", "hold_s", "when"), [(1, 0.0, 0), (3, 0.0, 2), (1, 0.45, 5), (3, 0.45, 5), (8, 0.45, 7)]
)
def test_a_class_is_told_once_after_so_many_frames_and_so_long(frames, hold_s, when):
    assert told(Seen(frames, hold_s), "a" * 20) == [(when, None, "a")]


def test_a_change_says_what_was_before_and_for_how_long_the_new_one_held():
    seen = Seen(2, 0.0)
    seen.look(top("a"), 0.0)
    seen.look(top("a"), 1.0)
    assert seen.look(top("b"), 2.0) is None
    assert seen.look(top("b", 0.75), 3.5) == {
        "class_id": ord("b"),
        "label": "b",
        "score": 0.75,
        "before": "a",
        "held_s": 1.5,
    }


def test_a_flickering_class_tells_nothing():
    assert told(Seen(3, 0.0), "aaa" + "bba" * 30 + "bcd" * 30 + "aaaa") == [(2, None, "a")]


def test_two_classes_that_take_turns_are_told_at_most_as_often_as_they_hold():
    labels = ("a" * 15 + "b" * 15) * 10
    assert len(told(Seen(3, 1.0), labels)) == 20
    assert len(told(Seen(3, 2.0), labels)) == 0


def test_a_clock_that_goes_back_begins_the_wait_anew():
    seen = Seen(1, 1.0)
    assert seen.look(top("a"), 100.0) is None
    assert seen.look(top("a"), 0.5) is None
    assert seen.look(top("a"), 1.4) is None
    assert seen.look(top("a"), 1.5)


def test_a_long_name_is_cut():
    [change] = [Seen(1, 0.0).look(top("x" * 1000), 0.0)]
    assert change["label"] == "x" * MAX_TOLD
