"""The queues between two steps: who waits, and what close means."""

from __future__ import annotations

import random
import threading
import time
from itertools import chain

import pytest
from kits.edge import value
from kits.threads import ended, started, still_waits

from edge.frames.queues import BoundedQueue, Step
from edge.metrics import EdgeMetrics


@pytest.fixture
def metrics():
    return EdgeMetrics()


@pytest.fixture
def make(metrics):
    def make_queue(capacity=2):
        return BoundedQueue(capacity, metrics.queue_depth.labels(queue="head"))

    return make_queue


def drain(queue):
    queue.close()
    return list(iter(queue.get, None))


def test_first_in_first_out(make):
    queue = make(5)
    for item in "abc":
        queue.put(item)
    assert queue.get() == "a"
    queue.put("d")
    assert drain(queue) == ["b", "c", "d"]


def test_a_producer_waits_until_there_is_room(make):
    queue = make(2)
    queue.put(1)
    queue.put(2)
    producer = started(lambda: queue.put(3))
    assert still_waits(producer)
    assert queue.get() == 1
    assert ended(producer)
    assert drain(queue) == [2, 3]


def test_a_consumer_waits_for_an_item(make):
    queue = make()
    got = []
    consumer = started(lambda: got.append(queue.get()))
    assert still_waits(consumer)
    queue.put("x")
    assert ended(consumer)
    assert got == ["x"]


def test_close_wakes_every_consumer(make):
    queue = make()
    got = []
    consumers = [started(lambda: got.append(queue.get())) for _ in range(3)]
    queue.close()
    assert all(ended(consumer) for consumer in consumers)
    assert got == [None] * 3


def test_close_wakes_every_producer_and_their_items_are_lost(make):
    queue = make(1)
    queue.put(1)
    producers = [started(lambda item=item: queue.put(item)) for item in (2, 3)]
    assert all(still_waits(producer) for producer in producers)
    queue.close()
    assert all(ended(producer) for producer in producers)
    assert drain(queue) == [1]


def test_what_waits_at_close_can_still_be_taken(make, metrics):
    queue = make(2)
    queue.put(1)
    queue.put(2)
    queue.close()
    queue.close()
    assert value(metrics, "queue_depth", queue="head") == 2
    assert [queue.get(), queue.get(), queue.get(), queue.get()] == [1, 2, None, None]


def test_the_gauge_shows_how_many_wait(make, metrics):
    queue = make(2)

    def depth():
        return value(metrics, "queue_depth", queue="head")

    seen = [depth()]
    for item in "xy":
        queue.put(item)
        seen.append(depth())
    for _ in range(2):
        queue.get()
        seen.append(depth())
    assert seen == [0, 1, 2, 1, 0]


def test_a_queue_that_runs_for_long_stays_as_small(make):
    queue = make(2)
    for item in range(100):
        queue.put(item)
        assert queue.get() == item
    assert (queue._items.qsize(), queue._room.qsize()) == (0, 2)


def test_many_threads_lose_and_double_nothing(make):
    queue = make(3)
    producers = [
        started(lambda base=base: [queue.put(base + i) for i in range(200)]) for base in (0, 1000, 2000)
    ]
    taken = [[], [], []]
    consumers = [started(lambda got=got: got.extend(iter(queue.get, None))) for got in taken]
    assert all(ended(producer) for producer in producers)
    queue.close()
    assert all(ended(consumer) for consumer in consumers)
    assert sorted(chain.from_iterable(taken)) == [base + i for base in (0, 1000, 2000) for i in range(200)]
    for got in taken:
        for base in (0, 1000, 2000):
            mine = [item for item in got if base <= item < base + 200]
            assert mine == sorted(mine), "each consumer sees each producer's items in order"


@pytest.mark.parametrize("workers", [1, 2, 5])
def test_results_are_in_the_order_of_items_however_long_each_takes(make, workers):
    inbound, outbound = make(2), make(1)
    rng = random.Random(workers)

    def work(item):
        time.sleep(rng.random() / 500)
        return -item

    step = Step("head", inbound.get, work, outbound, workers=workers)
    step.start()
    producer = started(lambda: [inbound.put(item) for item in range(100)])
    found = [outbound.get() for _ in range(100)]
    assert ended(producer)
    assert found == [-item for item in range(100)]
    inbound.close()
    assert outbound.get() is None, "once, after the last result"
    step.join()


def test_workers_work_at_once(make):
    inbound, outbound = make(3), make(3)
    meeting = threading.Barrier(3)
    step = Step("head", inbound.get, lambda item: (meeting.wait(60), item)[1], outbound, workers=3)
    step.start()
    for item in "abc":
        inbound.put(item)
    assert [outbound.get() for _ in range(3)] == ["a", "b", "c"]
    inbound.close()
    step.join()


def test_the_last_worker_closes_what_comes_behind(make):
    """Others end as soon as there is nothing more to take, while the one before them still works."""
    inbound, outbound = make(2), make(2)
    gate = threading.Event()
    step = Step("head", inbound.get, lambda item: (gate.wait(60), item)[1], outbound, workers=2)
    step.start()
    inbound.put("slow")
    inbound.close()
    reader = started(outbound.get)
    assert still_waits(reader), "neither a result nor an end"
    gate.set()
    assert ended(reader)
    assert outbound.get() is None
    step.join()


@pytest.mark.filterwarnings("ignore::pytest.PytestUnhandledThreadExceptionWarning")
def test_a_worker_that_breaks_down_holds_up_nobody(make):
    """Work does not raise; if it does all the same, the frames behind it go on, and overtake none before it."""
    inbound, outbound = make(4), make(4)
    gate = threading.Event()

    def work(item):
        if item == "bad":
            raise ValueError
        if item == "slow":
            gate.wait(60)
        return item

    step = Step("head", inbound.get, work, outbound, workers=3)
    step.start()
    for item in ("slow", "bad", "good", "better"):
        inbound.put(item)
    reader = started(outbound.get)
    assert still_waits(reader)
    gate.set()
    assert ended(reader)
    assert [outbound.get(), outbound.get()] == ["good", "better"]
    inbound.close()
    assert outbound.get() is None
    step.join()
