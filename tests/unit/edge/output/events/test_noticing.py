"""From records to events: what each answer tells, and what numbers and ids the events have."""

from __future__ import annotations

import threading

import pytest
from kits.edge import record

from edge.output.events.event import Event, Kind
from edge.output.events.noticing import Noticing
from edge.output.events.teller import Teller
from shared.tasks.classify import Classes
from shared.tasks.detection.boxes import Box, Boxes

RUN = "0123456789abcdef"


class Told:
    def __init__(self, cameras, numbers=(), **given):
        self.events, self.now = [], 0.0
        self.teller = Teller(self.events.append, dict(numbers), now=lambda: 1.5, run=RUN)
        options = {"frames": 2, "hold_s": 0.0, "lost_s": 0.5} | given
        self.sink = Noticing(self.teller, cameras, clock=lambda: self.now, **options)


@pytest.fixture
def told():
    return Told({"door": True, "yard": True})


def classes(number, label, camera="door", **changes):
    top = ({"class_id": ord(label[0]), "label": label, "probability": 0.5},)
    return record(number, top=top, camera=camera, time=f"2026-01-01T00:00:{number:02}.000+00:00", **changes)


def boxes(number, *found, **changes):
    answer = Boxes(tuple(Box(2, "car", 0.75, (x, 0.0, x + 10.0, 10.0)) for x in found), (640, 360))
    return record(number, answer=answer, camera="door", **changes)


def test_a_class_change_is_the_event_of_the_frame_that_made_it_certain(told):
    for number, label in enumerate("aaabb"):
        told.sink(classes(number, label))
    first, second = told.events
    data = {"class_id": 98, "label": "b", "score": 0.5, "before": "a", "held_s": 0.0}
    time = "2026-01-01T00:00:04.000+00:00"
    kind = Kind.CLASS_CHANGED
    assert second == Event(f"{RUN}-00000002", 2, "door", kind, time, 4, "0000000000000004", data)
    assert (first.frame, first.data["before"]) == (1, None)
    assert Event.parse(second.json()) == second


def test_each_camera_has_classes_and_numbers_of_its_own_which_go_on_after_a_restart():
    told = Told({"door": True, "yard": True}, {"door": 41, None: 7})
    for number, label in enumerate("ab" * 5):
        told.sink(classes(number, label, camera=("door", "yard")[number % 2]))
    told.teller.tell(Kind.CLOUD_AWAY, {})
    assert [(each.camera, each.number, each.data.get("label")) for each in told.events] == [
        ("door", 42, "a"),
        ("yard", 1, "b"),
        (None, 8, None),
    ]
    assert told.events[2].time == "1970-01-01T00:00:01.500+00:00"
    assert len({each.id for each in told.events}) == 3


def test_objects_that_appear_and_leave_say_which_where_and_for_how_long(told):
    for number in range(20):
        told.now = 0.25 * number
        told.sink(boxes(number, *((5.0,) if number < 4 else ())))
    appeared, left = told.events
    assert (appeared.kind, appeared.frame) == (Kind.OBJECT_APPEARED, 1)
    assert appeared.data == {
        "track": f"{RUN}-1",
        "class_id": 2,
        "label": "car",
        "score": 0.75,
        "box": [5.0, 0.0, 15.0, 10.0],
        "size": [640, 360],
        "seen_s": 0.25,
    }
    assert (left.kind, left.frame) == (Kind.OBJECT_LEFT, 6)
    assert left.data == appeared.data | {"seen_s": 0.75}
    assert [each.number for each in told.events] == [1, 2]


def test_a_frame_that_nobody_answered_says_nothing_and_a_still_one_what_it_repeats(told):
    for number, by in enumerate(["cloud", "nobody", "nobody", "nobody", "still"]):
        told.sink(classes(number, "a", answered_by=by))
    assert [each.frame for each in told.events] == [4]
    nothing = record(5, camera="door", answered_by="nobody", answer=Boxes())
    told.sink(boxes(4, 5.0))
    told.sink(nothing)
    told.sink(boxes(6, 5.0, answered_by="still"))
    assert [(each.kind, each.frame) for each in told.events[1:]] == [(Kind.OBJECT_APPEARED, 6)]


def test_seconds_of_a_recording_are_its_own():
    told = Told({"door": False}, frames=1, hold_s=2.0)
    for number in range(10):
        told.sink(classes(number, "a", media_time_s=0.5 * number))
    assert [each.frame for each in told.events] == [4], "whose clock stood still here"


def test_answers_without_classes_and_boxes_tell_nothing(told):
    class Other:
        def headline(self):
            raise AssertionError

    told.sink(record(0, camera="door", answer=Other()))
    told.sink(record(1, camera="door", answer=Classes()))
    assert told.events == []


def test_a_failure_here_is_none_of_the_frame_s_and_is_said_once(told, caplog):
    broken = record(3, camera="unknown")
    told.sink(broken)
    told.sink(broken)
    assert [each.getMessage() for each in caplog.records] == ["events: looking at frame 3 of unknown failed"]


def test_numbers_and_order_agree_whatever_thread_tells():
    told = Told({"door": True})

    def tell():
        for _ in range(200):
            told.teller.tell(Kind.CAMERA_UP, {}, camera="door")

    threads = [threading.Thread(target=tell) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert [each.number for each in told.events] == list(range(1, 801))
