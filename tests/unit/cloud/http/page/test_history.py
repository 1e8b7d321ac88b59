"""The last minutes of all workers: what is drawn is what was counted, whoever looks and since when."""

from __future__ import annotations

import random
from collections import Counter

import pytest

from cloud.http.page.history import LATELY, History, quantiles
from cloud.http.page.recent import SECONDS, Recent, step_of


class Clock:
    now_s = 1000.0

    def recent(self) -> Recent:
        return Recent(lambda: self.now_s, lambda: 0.0)


def read(history: History, workers: list[Recent]) -> None:
    rows = [row for each in workers for row in each.rows(history.since)]
    history.take(rows, workers[0].second())


def test_workers_are_added_up_second_by_second() -> None:
    clock, history = Clock(), History()
    workers = [clock.recent(), clock.recent()]
    counts = random.Random(7)
    frames = []
    for second in range(1000, 1050):
        frames.append([counts.randrange(4) for _ in workers])
        for tenth in range(10):
            clock.now_s = second + tenth / 10
            for worker, count in zip(workers, frames[-1], strict=True):
                if tenth < count:
                    worker.ended("gate", 1, 100, 0.02)
        for worker in workers:
            worker.look(2)
        read(history, workers)
    drawn = history.drawn(49)
    assert drawn["frames"] == [sum(each) for each in frames[:-1]], "the last second is not over"
    assert drawn["bytes"] == [100 * each for each in drawn["frames"]]
    assert drawn["queue"] == [4] * 49
    assert history.lately()["frames_per_s"] == sum(drawn["frames"][-LATELY:]) / LATELY
    assert (drawn.pop("slots"), drawn.pop("step_s")) == (SECONDS, 1)
    assert {len(each) for each in drawn.values()} == {49}


def test_a_new_viewer_sees_the_minutes_before_and_one_who_looks_again_no_gap() -> None:
    clock, history = Clock(), History()
    worker = clock.recent()
    expected = []
    for second in range(1000, 1000 + 3 * SECONDS):
        clock.now_s = second + 0.5
        expected.append(second % 7)
        for _ in range(second % 7):
            worker.ended("gate", 1, 1, 0.01)
        if second % 400 < 3:  # looks in the meantime are rare
            read(history, [worker])
    read(history, [worker])
    drawn = history.drawn(10.0 * SECONDS)
    assert drawn["frames"] == expected[-SECONDS - 1 : -1]


def test_a_worker_whose_second_comes_late_is_counted_all_the_same() -> None:
    history = History()
    history.take([], 101)
    assert history.drawn(1)["frames"] == [0]
    late = [100, 3, 0, 0, 0, 0.0, {}], [101, 4, 0, 0, 0, 0.0, {}]
    history.take(late[:1], 102)
    history.take(late, 103)
    assert history.drawn(3)["frames"] == [3, 4, 0]
    assert history.since == 100, "it is asked again"
    history.take(late, 104)
    history.take([], 105)  # the worker has ended
    assert history.drawn(5)["frames"] == [3, 0, 0, 0, 0], "what is settled stays"


def test_quantiles_are_within_a_tenth_of_the_true_ones() -> None:
    times = random.Random(3)
    many = sorted(times.lognormvariate(2.0, 1.0) for _ in range(2000))
    median_ms, slow_ms = quantiles(Counter(map(step_of, many)))
    assert median_ms == pytest.approx(many[1000], rel=0.1)
    assert slow_ms == pytest.approx(many[1980], rel=0.1)
    assert quantiles(Counter()) == (None, None)
    assert quantiles(Counter({step_of(5.0): 1})) == (pytest.approx(5.0, rel=0.05),) * 2
