"""What a run comes to: what counts, and by how much."""

import pytest

from bench.load.generator import UNANSWERED, Load, Request, Run
from bench.load.result import result_of


def test_the_warming_up_does_not_count():
    load = Load(clients=2, seconds=1.0, rate=1.0, warm_s=1.0)
    requests = [
        Request(0, due=0.5, done=0.9, status=503),
        Request(0, due=0.9, done=1.5, status=200),  # answered in the measured time, due before it
        Request(0, due=1.2, done=1.3, status=200),
        Request(1, due=1.4, done=2.4, status=200),  # due in the measured time, answered after it
        Request(1, due=1.9, done=4.0, status=UNANSWERED),
    ]
    result = result_of(Run(load, requests, cpu_s=0.25))
    assert result.answered == 2
    assert (result.slowest, result.fastest, result.throughput_per_s) == (0, 2, 2)
    assert result.p50_ms == pytest.approx(1000)
    assert result.p99_ms == pytest.approx(2100, rel=0.02)
    assert (result.busy, result.unanswered) == (0, 1)
    assert result.own_cpu == 0.25


def test_in_a_closed_loop_what_is_partly_within_counts_by_its_part():
    """Batches of two every 0.4 s are 5 a second, however many of them end within the second that is measured."""
    for phase in (0.0, 0.1, 0.2, 0.3):
        starts = [phase - 0.4 + 0.4 * number for number in range(8)]
        requests = [Request(client, at, at + 0.4, status=200) for at in starts for client in (0, 1)]
        result = result_of(Run(Load(clients=2, seconds=1.0, warm_s=1.0), requests))
        assert result.throughput_per_s == pytest.approx(5)
        assert result.answered in (4, 6)
        assert (result.slowest, result.fastest) == pytest.approx((2.5, 2.5))
