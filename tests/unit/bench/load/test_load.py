"""Latencies count from when a request was due; what waits, is refused or never comes is not forgotten.

In an event loop whose clock jumps, against a cloud without sockets: times are exact on any machine.
"""

import asyncio
import itertools

import pytest
from kits import virtual_time

from bench.load.generator import FAILED, Generator, Load, schedule
from bench.load.result import result_of

URL = None


def run(cloud, load, request_bytes, also=None):
    async def play():
        extra = asyncio.create_task(also()) if also else None
        found = await Generator(URL, [[request_bytes]], load, cloud.connect).run()
        if extra:
            await extra
        return found

    return virtual_time.run(play())


# --- the schedule -----------------------------------------------------------------------------------------------------


def test_each_client_is_due_evenly_from_a_phase_of_its_own():
    load = Load(clients=5, seconds=3.0, rate=4.0, warm_s=1.0)
    plan = schedule(load)
    assert len(plan) == 5
    for due in plan:
        assert 0 <= due[0] < 0.25
        assert len(due) == 16
        assert [later - sooner for sooner, later in itertools.pairwise(due)] == pytest.approx([0.25] * 15)
        assert due[-1] < load.end_s
    assert len({due[0] for due in plan}) == 5


def test_the_same_seed_gives_the_same_schedule():
    load = Load(clients=3, seconds=2.0, rate=2.0)
    assert schedule(load) == schedule(load) != schedule(Load(clients=3, seconds=2.0, rate=2.0, seed=1))


def test_a_slow_rate_may_leave_a_client_without_a_request():
    assert sum(len(due) for due in schedule(Load(clients=50, seconds=1.0, rate=0.1, warm_s=0.0))) in range(
        1, 12
    )


def test_a_schedule_is_bounded():
    with pytest.raises(ValueError, match="more than 100 requests"):
        schedule(Load(clients=10, seconds=10.0, rate=10.0, max_requests=100))


# --- open loop --------------------------------------------------------------------------------------------------------


def test_a_stall_is_felt_by_everything_that_was_due_meanwhile(fake_cloud, request_bytes):
    """One stall of 1 s: at 50 requests a second 50 of them are late, though only 2 were ever sent into it."""
    cloud = fake_cloud()
    load = Load(clients=1, seconds=1.8, rate=50.0, warm_s=0.0, connections=2)
    found = run(cloud, load, request_bytes, lambda: cloud.stall(0.55, 1.0))
    result = result_of(found)
    late = [each for each in found.requests if each.latency_s > 0.1]
    assert cloud.most_at_once == 2
    assert cloud.connections == 2
    assert len(found.requests) in (89, 90)
    assert 44 <= len(late) <= 46, "those that were due in the first 0.9 s of it"
    assert result.p99_ms > 900
    assert result.p50_ms < 300
    # As late as the stall was long for the one that was due at its start, then less and less.
    stalled = [each for each in found.requests if 0.5 < each.due < 1.5]
    assert len(stalled) == 50
    for each in stalled:
        assert each.latency_s == pytest.approx(1.5 - each.due, abs=1e-3)


def test_waiting_for_a_free_connection_counts(fake_cloud, request_bytes):
    """The server takes 50 ms for a request and one connection carries one at a time: at 40 a second half must wait."""
    load = Load(clients=1, seconds=0.6, rate=40.0, warm_s=0.0, connections=1)
    found = run(fake_cloud(service_s=0.05), load, request_bytes)
    first, *_, last = sorted(found.requests, key=lambda each: each.due)
    assert first.latency_s == pytest.approx(0.05)
    assert last.latency_s == pytest.approx(0.05 + (len(found.requests) - 1) * 0.025)
    assert result_of(found).throughput_per_s == pytest.approx(20, abs=2)


def test_a_server_that_keeps_up_has_short_latencies(fake_cloud, request_bytes):
    load = Load(clients=4, seconds=0.4, rate=20.0, warm_s=0.1)
    result = result_of(run(fake_cloud(service_s=0.002), load, request_bytes))
    assert result.offered_per_s == 80
    assert result.throughput_per_s == pytest.approx(80)
    assert (result.p50_ms, result.p99_ms) == pytest.approx((2, 2))
    assert result.slowest == result.fastest == 8
    assert (result.busy, result.late, result.failed, result.unanswered) == (0, 0, 0, 0)
    assert result.own_cpu > 0


def test_what_is_never_answered_counts_with_its_waiting(fake_cloud, request_bytes):
    cloud = fake_cloud()
    cloud.open.clear()
    load = Load(clients=1, seconds=0.4, rate=10.0, warm_s=0.0, connections=1, drain_s=0.3)
    found = run(cloud, load, request_bytes)
    result = result_of(found)
    assert result.unanswered == len(found.requests) in (3, 4)
    assert result.answered == 0
    for each in found.requests:
        assert each.latency_s == pytest.approx(0.7 - each.due), "up to the end of the run"


def test_refusals_and_losses_are_counted_apart(fake_cloud, request_bytes):
    cloud = fake_cloud([503, 503, 504, 409])
    found = run(cloud, Load(clients=1, seconds=0.3, rate=40.0, warm_s=0.0), request_bytes)
    result = result_of(found)
    assert (result.busy, result.late, result.refused, result.failed) == (2, 1, 1, 0)
    assert result.answered == len(found.requests) - 4


def test_an_answer_that_does_not_come_in_time_is_a_failure(fake_cloud, request_bytes):
    load = Load(clients=1, seconds=0.2, rate=10.0, warm_s=0.0, timeout_s=0.1)
    found = run(fake_cloud(service_s=0.3), load, request_bytes)
    assert {each.status for each in found.requests} == {FAILED}


def test_each_client_sends_its_own_requests_in_turn():
    sent = []

    class Connection:
        async def ask(self, request, _timeout_s):
            sent.append(request)
            return 200

        def close(self):
            sent.append("closed")

    load = Load(clients=2, seconds=1.0, rate=3.0, warm_s=0.0, connections=1)
    virtual_time.run(Generator(URL, [[b"a", b"b"], [b"x"]], load, lambda _url: Connection()).run())
    assert [each for each in sent if each in (b"a", b"b")] == [b"a", b"b", b"a"]
    assert sent.count(b"x") == 3
    assert sent.count("closed") == 2


# --- closed loop ------------------------------------------------------------------------------------------------------


def test_a_closed_loop_has_one_request_of_each_client_under_way(fake_cloud, request_bytes):
    cloud = fake_cloud(service_s=0.02)
    found = run(cloud, Load(clients=3, seconds=0.4, warm_s=0.1), request_bytes)
    result = result_of(found)
    assert cloud.most_at_once == 3
    assert cloud.connections == 3
    assert result.throughput_per_s == pytest.approx(3 / 0.02)
    assert result.offered_per_s is None


def test_a_closed_loop_that_is_refused_does_not_hammer(fake_cloud, request_bytes):
    found = run(fake_cloud([503] * 1000), Load(clients=1, seconds=0.3, warm_s=0.0), request_bytes)
    assert len(found.requests) in (3, 4)


def test_a_closed_loop_is_bounded(fake_cloud, request_bytes):
    cloud = fake_cloud(service_s=0.001)
    found = run(cloud, Load(clients=2, seconds=0.2, warm_s=0.0, max_requests=10), request_bytes)
    assert len(found.requests) == 10
