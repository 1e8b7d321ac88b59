"""The data budget: claims of frames, what was really spent, what is said and exported, and a planner that keeps to it for hours."""

from __future__ import annotations

import itertools
import logging
import math
import random
from dataclasses import replace

import pytest
from kits.link import Clock
from kits.planner import OUTPUT, PNG, conditions
from prometheus_client import CollectorRegistry

from edge.planning.budget.budget import Budget
from edge.planning.budget.hour import HOUR_S
from edge.planning.budget.wire_bytes import WireBytes
from edge.planning.costs.sizes import Sizes
from edge.planning.planner import InForce, Objective, choose, decide, predict, ranked

MB = 1_000_000


def test_without_a_budget_everything_may_travel():
    budget = Budget()
    budget.spend(10**15)
    assert budget.claim(10**12)
    assert not budget.is_spent
    assert (budget.left_bytes, budget.bytes_per_s) == (math.inf, math.inf)


def test_frames_claim_what_they_need_before_they_are_sent():
    budget = Budget(MB, Clock())
    assert budget.claim(400_000)
    assert budget.claim(400_000)
    assert not budget.claim(400_000), "those under way together would spend more than there is"
    assert budget.is_spent
    budget.settle(400_000)
    budget.settle(400_000)
    assert not budget.is_spent, "neither was sent"
    budget.spend(980_000)
    assert budget.left_bytes == 20_000
    assert not budget.claim(19_000), "its answer would be too much"
    assert budget.claim(18_000)


def test_it_is_said_once_and_frames_go_on_when_a_minutes_worth_is_free(caplog):
    caplog.set_level(logging.INFO)
    clock = Clock()
    budget = Budget(MB, clock)
    budget.spend(5000)
    clock.now += 20
    budget.spend(MB - 5000)
    for _ in range(1000):
        assert not budget.claim(1000)
    (line,) = [each.getMessage() for each in caplog.records]
    assert line.startswith(
        "the data budget of 1 MB an hour (--max-bytes-per-hour) is spent; the edge answers by itself, for about 36"
    )
    clock.now += HOUR_S - 5
    assert budget.left_bytes == 5000
    assert budget.is_spent, "too little for going on"
    clock.now += 30
    assert not budget.is_spent
    assert budget.claim(1000)
    assert caplog.records[-1].getMessage() == "the data budget has bytes again; frames are sent"


def test_what_travels_is_exported():
    registry = CollectorRegistry()
    wire = WireBytes("edge_", registry)
    assert registry.get_sample_value("edge_budget_left_bytes") == math.inf
    wire.limit(MB)
    wire.up(300)
    wire.down(200)
    wire.up(1)
    assert registry.get_sample_value("edge_wire_bytes_total", {"direction": "up"}) == 301
    assert registry.get_sample_value("edge_wire_bytes_total", {"direction": "down"}) == 200
    assert registry.get_sample_value("edge_budget_left_bytes") == MB - 501


# --- the planner keeps to it --------------------------------------------------------------------------------------

SLOW = replace(OUTPUT, head_s=0.9)
RICH = replace(PNG, frame_bytes=30_000.0)
THIN = replace(PNG, codec="thin", frame_bytes=4_000.0, head_s=0.15)
CHOICES = [RICH, THIN, SLOW]
FAST = Objective(min_agreement=0.9)


def at(bytes_per_s, **changes):
    return conditions(20, 20, interval_s=0.2, bytes_per_s=bytes_per_s, frame_overhead_bytes=100.0, **changes)


def test_what_does_not_fit_is_not_chosen():
    """Five frames a second."""
    for allowed, expected in (
        (math.inf, RICH),
        (160_000, RICH),
        (140_000, THIN),
        (21_000, THIN),
        (15_000, SLOW),
    ):
        now = at(allowed)
        assert choose(CHOICES, now, FAST) is expected, allowed
        fits = {option: kept for option, _, kept in ranked(CHOICES, now, FAST)}
        assert fits[expected]
        assert fits[RICH] == (expected is RICH)
    assert choose([RICH, THIN], at(100.0), FAST) is THIN, "none fits, and this is the nearest"
    slowly = replace(at(15_000), interval_s=1.0)
    assert choose(CHOICES, slowly, FAST) is THIN, "once a second it does"


def test_a_plan_is_left_when_its_frames_become_too_dear():
    for allowed, reason in ((147_000, "stay"), (130_000, "limit")):
        decision = decide(CHOICES, at(allowed), FAST, InForce(RICH, 10.0, settled=True))
        assert decision.reason == reason, allowed
    assert decision.option is THIN


@pytest.mark.parametrize("wrong", [0.5, 2.0])
@pytest.mark.parametrize("most", [5 * MB, 70 * MB, 400 * MB])
def test_three_hours_of_it_with_sizes_that_were_wrong_at_first(most, wrong):
    """No hour exceeds the budget, whatever is chosen; and the plan does not go back and forth."""
    generator, clock, sizes = random.Random(7), Clock(), Sizes()
    budget = Budget(most, clock)
    sent, in_force, since, switches, answered = [], None, 0.0, [], 0
    for number in range(5 * 3 * 3600):
        clock.now += 0.2
        if number % 5 == 0:
            now = at(budget.bytes_per_s, sizes=sizes.usual)
            held = InForce(in_force, clock.now - since, settled=number > 25) if in_force else None
            decision = decide(CHOICES, now, FAST, held)
            if decision.reason != "stay":
                in_force, since = decision.option, clock.now
                switches.append(clock.now)
        if in_force.is_local or budget.is_spent:
            continue
        size = round(wrong * in_force.frame_bytes * generator.uniform(0.8, 1.2))
        if budget.claim(size):
            sizes.encoded(in_force, size, keyframe=True)
            budget.spend(size + 100)
            budget.settle(size)
            sent.append((clock.now, size + 100))
            answered += 1
    first, within = 0, 0
    for when, size in sent:
        within += size
        while sent[first][0] <= when - HOUR_S:
            within -= sent[first][1]
            first += 1
        assert within <= most
    assert len(switches) <= 20, switches
    later = [each for each in switches if each > switches[0] + 300]
    assert all(after - before > 60 for before, after in itertools.pairwise(later)), switches
    cheapest = max(1.0, wrong) * THIN.frame_bytes + 100
    if most / HOUR_S > 1.3 * 5 * cheapest:
        assert answered > 0.9 * 5 * 3 * 3600 * 0.9, "and it is made use of"
    assert predict(in_force, at(math.inf)).frame_bytes < 31_000
