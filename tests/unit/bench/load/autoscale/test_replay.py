"""Pods as queues, traces, and what comes of them with the autoscalers of deploy/kubernetes."""

from __future__ import annotations

import math
from dataclasses import replace

import pytest

from bench.load.autoscale.manifest import hpa, keda
from bench.load.autoscale.pod import Pod, Service
from bench.load.autoscale.replay import replay
from bench.load.autoscale.traces import FPS, TRACES, Trace, arrivals

SLOW = Service(run_s=0.0, frame_s=0.1, run_cpu_s=0.0, frame_cpu_s=0.2, batch=2, capacity=3, deadline_s=0.35)


def test_frames_go_in_batches_and_their_time_is_counted():
    pod = Pod(replace(SLOW, deadline_s=9))
    for at in (0.0, 0.01, 0.02):
        pod.offer(at)
    assert (pod.queue(0.05), pod.under_way) == (2, 3)
    assert (pod.queue(0.15), pod.under_way) == (0, 2), "two at once, from 0.1 to 0.3"
    assert (pod.queue(0.31), pod.under_way) == (0, 0)
    assert (pod.answered, pod.runs) == (3, 2)
    assert pod.waited_s == pytest.approx(0.0 + 0.09 + 0.08)
    assert pod.latency_s == pytest.approx(0.1 + 0.29 + 0.28)
    assert pod.cpu_s == pytest.approx(0.6)


def test_a_full_queue_refuses_and_what_would_be_late_is_not_computed():
    pod = Pod(SLOW)
    for at in (0.0, 0.01, 0.02, 0.03, 0.04):
        pod.offer(at)
    assert pod.refused == 1, "one is computed, three wait"
    pod.advance(1.0)
    assert (pod.answered, pod.late, pod.refused, pod.under_way) == (3, 1, 1, 0)


def test_a_pod_that_is_not_ready_computes_nothing():
    pod = Pod(replace(SLOW, deadline_s=99), ready_s=10.0)
    pod.offer(1.0)
    assert pod.queue(9.9) == 1
    assert pod.queue(10.0) == 0
    pod.advance(math.inf)
    assert pod.answered == 1


def test_what_a_pod_answers_at_most():
    service = Service()
    pod = Pod(service)
    for number in range(20_000):
        pod.offer(number / 400)
    assert pod.answered / 50 == pytest.approx(service.most_per_s, rel=0.02)
    assert pod.cpu_s / 50 < service.cores


def test_traces_are_the_rates_that_they_say_and_the_same_each_time():
    for trace in TRACES:
        short = replace(trace, seconds=trace.begins_s + 20)
        came = list(arrivals(short))
        assert came == sorted(came)
        assert came == list(arrivals(short)) != list(arrivals(short, seed=1))
        expected = sum(trace.rate(second / 2) / 2 for second in range(round(2 * short.seconds)))
        assert len(came) == pytest.approx(expected, rel=0.05), trace.name
        assert trace.rate(0) == trace.rate(trace.seconds), "it ends as it begins"


def test_the_manifests_are_read():
    mine, kedas = hpa(2.0), keda()
    assert mine.bounds == kedas.bounds
    assert (mine.queue, mine.cores) == (kedas.queue, kedas.cores)
    assert (mine.totals, kedas.totals) == (False, True)
    assert mine.bounds.least >= 1
    assert mine.bounds.down.window_s == 300


STEP = Trace("step", "three clouds' load, after one's", 900, lambda t: 40.0 if t >= 60 else 5.0, 60)
TENTH = Service(run_s=0.01, frame_s=0.0665, run_cpu_s=0.048, frame_cpu_s=0.114)
"""A tenth as fast as the default, for a tenth of the frames."""


def lost(outcome):
    """What no cloud answered."""
    return outcome.frames - outcome.answered


def test_a_step_is_answered_by_more_clouds():
    for manifest in (hpa(2.0), keda()):
        outcome = replay(STEP, manifest, TENTH, 10.0)
        assert outcome.frames == outcome.answered + outcome.refused + outcome.late
        first, *_ = outcome.changes
        assert 0 < first.at_s - STEP.begins_s <= 15, manifest.name
        assert max(each.wanted for each in outcome.moments) >= 4, manifest.name
        assert outcome.turns <= 1, manifest.name
        assert outcome.answered > 0.98 * outcome.frames, manifest.name
        settled = [each for each in outcome.moments if each.at_s > 120]
        assert all(each.queue < 1 for each in settled), manifest.name


def test_queues_alone_take_away_the_clouds_that_empty_them():
    outcome = replay(STEP, replace(hpa(2.0), cores=None), TENTH, 10.0)
    assert outcome.turns >= 2
    assert lost(outcome) > lost(replay(STEP, hpa(2.0), TENTH, 10.0))


def test_a_later_start_costs_frames():
    by_start = [lost(replay(STEP, hpa(2.0), TENTH, start)) for start in (5.0, 30.0, 60.0)]
    assert by_start == sorted(by_start)
    assert by_start[0] < by_start[-1]


def test_nothing_is_changed_where_nothing_changes():
    even = Trace("even", "", 600, lambda _t: 15.0)
    outcome = replay(even, hpa(2.0), TENTH, 10.0)
    assert outcome.changes == []
    assert outcome.pod_s == pytest.approx(2 * 15 * len(outcome.moments))
    assert {each.replicas for each in outcome.moments} == {2}
    assert outcome.frames == round(15 / FPS) * round(600 * FPS)
