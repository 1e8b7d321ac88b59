"""Latencies count from when a request was due; what waits, is refused or never comes is not forgotten."""

import asyncio
import itertools
from urllib.parse import urlsplit

import pytest

from bench.harness.system import free_port
from bench.load.generator import FAILED, UNANSWERED, Load, Request, Run, generate, schedule
from bench.load.result import result_of


def run(cloud, load, request_bytes, also=None):
    async def play():
        async with cloud.serving() as url:
            extra = asyncio.create_task(also()) if also else None
            found = await generate(url, [[request_bytes]], load)
            if extra:
                await extra
            return found

    return asyncio.run(play())


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
        schedule(Load(clients=10, seconds=10.0, rate=10.0, most_requests=100))


# --- open loop --------------------------------------------------------------------------------------------------------


def test_a_stall_is_felt_by_everything_that_was_due_meanwhile(fake_cloud, request_bytes):
    """One stall of 1 s: at 50 requests a second 50 of them are late, though only 2 were ever sent into it."""

    async def play():
        cloud = fake_cloud()
        async with cloud.serving() as url:
            load = Load(clients=1, seconds=1.8, rate=50.0, warm_s=0.0, connections=2)
            stall = asyncio.create_task(cloud.stall(0.5, 1.0))
            found = await generate(url, [[request_bytes]], load)
            await stall
            return cloud, found

    cloud, found = asyncio.run(play())
    result = result_of(found)
    late = [each for each in found.requests if each.latency_s > 0.1]
    assert cloud.most_at_once == 2
    assert cloud.connections == 2
    assert len(found.requests) in (89, 90)
    assert 40 <= len(late) <= 60
    assert result.p99_ms > 900
    assert result.p50_ms < 300
    # As late as the stall was long for the one that was due at its start, then less and less.
    stalled = [each for each in found.requests if 0.6 <= each.due <= 1.4]
    for each in stalled:
        assert each.latency_s == pytest.approx(1.55 - each.due, abs=0.2)


def test_waiting_for_a_free_connection_counts(fake_cloud, request_bytes):
    """The server takes 50 ms for a request and one connection carries one at a time: at 40 a second half must wait."""
    load = Load(clients=1, seconds=0.6, rate=40.0, warm_s=0.0, connections=1)
    found = run(fake_cloud(service_s=0.05), load, request_bytes)
    last = max(found.requests, key=lambda each: each.due)
    assert last.latency_s > 0.4
    assert result_of(found).throughput_per_s == pytest.approx(20, abs=4)


def test_a_server_that_keeps_up_has_short_latencies(fake_cloud, request_bytes):
    found = run(fake_cloud(), Load(clients=4, seconds=0.4, rate=20.0, warm_s=0.1), request_bytes)
    result = result_of(found)
    assert result.offered_per_s == 80
    assert result.throughput_per_s == pytest.approx(80, rel=0.2)
    assert result.p99_ms < 500
    assert 7 <= result.slowest <= result.fastest <= 9
    assert (result.busy, result.late, result.failed, result.unanswered) == (0, 0, 0, 0)
    assert 0 < result.own_cpu < 1


def test_what_is_never_answered_counts_with_its_waiting(fake_cloud, request_bytes):
    cloud_kind = fake_cloud

    async def play():
        cloud = cloud_kind()
        cloud.open.clear()
        async with cloud.serving() as url:
            load = Load(clients=1, seconds=0.4, rate=10.0, warm_s=0.0, connections=1, drain_s=0.3)
            found = await generate(url, [[request_bytes]], load)
            cloud.open.set()
            return found

    found = asyncio.run(play())
    result = result_of(found)
    assert result.unanswered == len(found.requests) in (3, 4)
    assert result.answered == 0
    assert result.p50_ms > 400


def test_refusals_and_losses_are_counted_apart(fake_cloud, request_bytes):
    cloud = fake_cloud([503, 503, 504, 409])
    found = run(cloud, Load(clients=1, seconds=0.3, rate=40.0, warm_s=0.0), request_bytes)
    result = result_of(found)
    assert (result.busy, result.late, result.refused, result.failed) == (2, 1, 1, 0)
    assert result.answered == len(found.requests) - 4


def test_a_server_that_closes_its_connections_is_asked_again(fake_cloud, request_bytes):
    cloud = fake_cloud(close_after=1)
    found = run(cloud, Load(clients=1, seconds=0.3, rate=40.0, warm_s=0.0, connections=1), request_bytes)
    assert cloud.connections >= 5
    assert sum(each.status == 200 for each in found.requests) >= 5
    assert {each.status for each in found.requests} <= {200, FAILED}


def test_nobody_there(request_bytes):
    url = urlsplit(f"http://127.0.0.1:{free_port()}")
    found = asyncio.run(generate(url, [[request_bytes]], Load(clients=1, seconds=0.2, rate=20.0, warm_s=0.0)))
    assert {each.status for each in found.requests} == {FAILED}
    assert result_of(found).answered == 0


def test_an_answer_that_does_not_come_in_time_is_a_failure(fake_cloud, request_bytes):
    load = Load(clients=1, seconds=0.2, rate=10.0, warm_s=0.0, timeout_s=0.1)
    found = run(fake_cloud(service_s=0.3), load, request_bytes)
    assert {each.status for each in found.requests} == {FAILED}


# --- closed loop ------------------------------------------------------------------------------------------------------


def test_a_closed_loop_has_one_request_of_each_client_under_way(fake_cloud, request_bytes):
    cloud = fake_cloud(service_s=0.02)
    found = run(cloud, Load(clients=3, seconds=0.4, warm_s=0.1), request_bytes)
    result = result_of(found)
    assert cloud.most_at_once == 3
    assert cloud.connections == 3
    assert 50 < result.throughput_per_s <= 3 / 0.02
    assert result.offered_per_s is None


def test_a_closed_loop_that_is_refused_does_not_hammer(fake_cloud, request_bytes):
    found = run(fake_cloud([503] * 1000), Load(clients=1, seconds=0.3, warm_s=0.0), request_bytes)
    assert len(found.requests) <= 4


def test_a_closed_loop_is_bounded(fake_cloud, request_bytes):
    found = run(fake_cloud(), Load(clients=2, seconds=0.2, warm_s=0.0, most_requests=10), request_bytes)
    assert 10 <= len(found.requests) <= 11


# --- the result -------------------------------------------------------------------------------------------------------


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
