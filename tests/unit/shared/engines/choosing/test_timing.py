"""Engines are timed in turn, by a clock of the test's own."""

from __future__ import annotations

from functools import partial

import pytest

from shared.engines.choosing import timing
from shared.engines.choosing.timing import Timer, Times


class Clock:
    """Advances only as runs take time."""

    def __init__(self) -> None:
        self.now = 100.0

    def __call__(self) -> float:
        return self.now


class Meter:
    """Says that the machine was busy, if the test says so."""

    def __init__(self, *, busy: bool = False) -> None:
        self.is_busy = busy
        self.threads: list[int] = []

    def begin(self, threads: int) -> Meter:
        self.threads.append(threads)
        return self

    def busy(self) -> bool:
        return self.is_busy


def measure(seconds: dict[str, list[float]], *, busy: bool = False) -> tuple[timing.Measurement, list[str]]:
    """Time runs that take these seconds, over and over."""
    clock, order, meter = Clock(), [], Meter(busy=busy)
    runs = {}
    for name, each in seconds.items():

        def run(name: str, each: list[float]) -> None:
            clock.now += each[order.count(name) % len(each)]
            order.append(name)

        runs[name] = partial(run, name, each)
    measurement = Timer(clock, meter.begin).measure(runs, threads=3)
    assert meter.threads == [3]
    return measurement, order


def test_engines_run_in_turn_and_the_first_round_does_not_count() -> None:
    found, order = measure({"a": [9.0] + [1.0] * 100, "b": [5.0] + [2.0] * 100})
    assert order[:6] == ["a", "b", "a", "b", "a", "b"]
    assert order.count("a") == order.count("b") == timing._MIN_ROUNDS + 1
    assert found.times == {"a": Times(1000, 1000), "b": Times(2000, 2000)}
    assert not found.busy


def test_quick_runs_are_repeated_until_the_meter_can_tell_something() -> None:
    found, order = measure({"a": [0.001], "b": [0.002]})
    assert order.count("a") == pytest.approx(timing._MIN_SECONDS / 0.003, abs=2)
    assert found.times["a"].minimum == pytest.approx(1, rel=1e-6)
    _, order = measure({"a": [1e-9], "b": [1e-9]})
    assert order.count("a") == timing._MAX_ROUNDS + 1


def test_minimum_and_median_are_of_one_engine_alone() -> None:
    found, _ = measure({"a": [7.0, 3.0, 1.0, 3.0, 1.0, 9.0, 8.0, 3.0], "b": [1.0]}, busy=True)
    assert found.times == {"a": Times(1000, 3000), "b": Times(1000, 1000)}
    assert found.busy


def test_clearly_below_is_by_more_than_the_margin_in_both() -> None:
    base = Times(10, 20)
    for minimum, median, is_below in ((8.9, 17.9, True), (9.1, 17, False), (8, 18.1, False), (10, 20, False)):
        assert Times(minimum, median).clearly_below(base) == is_below, (minimum, median)


def test_one_that_is_far_slower_is_soon_left_out() -> None:
    found, order = measure({"a": [2.1], "b": [1.0], "c": [1.9]})
    assert (order.count("a"), order.count("b"), order.count("c")) == (4, 8, 8)
    assert found.times["a"] == Times(pytest.approx(2100), pytest.approx(2100))
    # Once is enough to stay: what else the machine does can only have made the others' times longer.
    _, order = measure({"a": [9.0, 9.0, 9.0, 1.5], "b": [1.0]})
    assert order.count("a") == 8


def test_what_a_run_raises_is_passed_on() -> None:
    with pytest.raises(ZeroDivisionError):
        Timer(Clock(), Meter().begin).measure({"a": lambda: 1 / 0}, threads=1)
