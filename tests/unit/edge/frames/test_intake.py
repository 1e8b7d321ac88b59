"""Frames of several cameras: who waits, who is dropped, whose turn it is."""

from __future__ import annotations

from collections import Counter

import pytest
from kits.edge import value
from kits.threads import ended, started, still_waits

from edge.frames.allowance import Allowance
from edge.frames.intake import Intake
from edge.metrics import EdgeMetrics

PLENTY = 10**6


def intake(*, under_way=PLENTY, metrics=None, **lanes):
    """Lanes as `camera=(capacity, drop_oldest)`."""
    gauge = (metrics or EdgeMetrics()).queue_depth.labels(queue="capture")
    return Intake(lanes, Allowance(under_way), gauge)


def taken(queue, count):
    return [queue.get() for _ in range(count)]


def test_cameras_take_turns_whatever_waits():
    queue = intake(fast=(10, False), slow=(10, False), late=(10, False))
    for number in range(6):
        queue.put("fast", f"fast {number}")
    queue.put("slow", "slow 0")
    queue.put("slow", "slow 1")
    first = taken(queue, 3)
    queue.put("late", "late 0")
    assert first == ["fast 0", "slow 0", "fast 1"]
    assert set(taken(queue, 3)) == {"late 0", "slow 1", "fast 2"}
    assert taken(queue, 3) == ["fast 3", "fast 4", "fast 5"], "nobody waits for who has nothing"


def test_a_camera_without_a_place_is_passed_over_until_a_frame_is_done():
    queue = intake(hangs=(5, False), goes=(5, False), under_way=1)
    for camera in ("hangs", "goes"):
        for number in range(4):
            queue.put(camera, (camera, number))
    assert taken(queue, 3) == [("hangs", 0), ("goes", 0), ("hangs", 1)], "its own place, and the shared one"
    queue.done("goes")
    assert queue.get() == ("goes", 1)
    found = []
    consumer = started(lambda: found.append(queue.get()))
    assert still_waits(consumer), "nobody has a place"
    queue.done("goes")
    assert ended(consumer)
    assert found == [("goes", 2)]
    queue.done("hangs")
    queue.done("hangs")
    assert queue.get() == ("hangs", 2)


@pytest.mark.parametrize("capacity", [1, 3])
def test_a_full_lane_holds_up_a_recording_or_drops_the_oldest_of_a_live_one(capacity):
    queue = intake(clip=(capacity, False), live=(capacity, True))
    assert [queue.put("live", number) for number in range(9)] == [0] * capacity + [1] * (9 - capacity)
    for number in range(capacity):
        assert queue.put("clip", 100 + number) == 0
    producer = started(lambda: queue.put("clip", 999))
    assert still_waits(producer)
    assert queue.put("live", 9) == 1, "and the other lane does not wait"
    kept = taken(queue, 2)
    assert ended(producer)
    assert kept == [10 - capacity, 100] or kept == [100, 10 - capacity]


def test_closing_one_lane_ends_nothing_for_the_others():
    queue = intake(a=(2, False), b=(2, False))
    queue.put("a", "a 0")
    queue.put("a", "a 1")
    put = []
    producer = started(lambda: put.append(queue.put("a", "too late")))
    assert still_waits(producer)
    queue.close("a")
    assert ended(producer)
    assert put == [1], "counted as dropped"
    queue.put("b", "b 0")
    assert set(taken(queue, 3)) == {"a 0", "a 1", "b 0"}, "what waits can still be taken"
    found = []
    consumer = started(lambda: found.append(queue.get()))
    assert still_waits(consumer)
    queue.close("b")
    assert ended(consumer)
    assert found == [None]
    assert queue.put("b", "x") == 1


def test_what_is_given_up_is_not_taken():
    queue = intake(a=(1, False), b=(1, True), under_way=0)
    queue.put("a", 1)
    assert queue.get() == 1
    queue.put("a", 2)
    consumer = started(queue.get)
    producer = started(lambda: queue.put("a", 3))
    assert still_waits(consumer)
    assert still_waits(producer)
    queue.give_up()
    assert ended(consumer)
    assert ended(producer)
    assert queue.get() is None
    assert queue.put("b", 1) == 1


def test_the_gauge_shows_how_many_wait_in_all_lanes():
    metrics = EdgeMetrics()
    queue = intake(metrics=metrics, a=(2, True), b=(2, False))
    for camera in "aab":
        queue.put(camera, camera)
    assert value(metrics, "queue_depth", queue="capture") == 3
    queue.put("a", "a")
    assert value(metrics, "queue_depth", queue="capture") == 3
    queue.get()
    assert value(metrics, "queue_depth", queue="capture") == 2
    queue.give_up()
    assert value(metrics, "queue_depth", queue="capture") == 0


def test_many_cameras_and_threads_lose_nothing_and_keep_each_cameras_order():
    names = [f"camera-{number}" for number in range(6)]
    queue = intake(under_way=3, **dict.fromkeys(names, (2, False)))

    def produce(name):
        for number in range(200):
            queue.put(name, (name, number))
        queue.close(name)

    producers = [started(lambda name=name: produce(name)) for name in names]
    found = []
    while (item := queue.get()) is not None:
        found.append(item)
        queue.done(item[0])
    assert all(ended(producer) for producer in producers)
    for name in names:
        assert [number for camera, number in found if camera == name] == list(range(200)), name
    shares = Counter(camera for camera, _ in found[:600])
    assert max(shares.values()) <= 200
