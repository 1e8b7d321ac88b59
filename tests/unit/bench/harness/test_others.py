"""What other processes take of the machine beside a benchmark."""

from __future__ import annotations

from bench.harness.others import Others


def test_what_others_take_is_the_machines_work_without_our_own():
    busy, own, now = iter([100.0, 130.0]), iter([10.0, 20.0]), iter([0.0, 10.0])
    others = Others(lambda: next(busy), lambda: next(own), lambda: next(now))
    assert others.cores() == 2.0
    assert Others().cores() >= 0
