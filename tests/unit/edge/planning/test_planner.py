"""What the planner predicts and what it chooses, tried with a ResNet-50's options."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from kits.planner import (
    AVGPOOL,
    JPEG,
    LAYER3,
    MBIT,
    OUTPUT,
    PNG,
    RESNET50,
    conditions,
    option,
)

from edge.planning.planner import (
    Objective,
    choose,
    predict,
)
from edge.uplink.link import LinkState

EXACT = Objective(min_agreement=0.95)
ROOT = Path(__file__).resolve().parents[4]


# --- predictions --------------------------------------------------------------------------------------------------


def test_a_prediction_adds_up():
    now = conditions(
        8, 20, cloud_wait_s=0.003, edge_slowdown=2.0, cloud_slowdown=3.0, sizes={"png": 2.0}, tails_s={}
    )
    prediction = predict(PNG, now)
    transfer_s = (2 * 33_700 - 1448) / 1e6
    assert prediction.frame_bytes == 67_400
    assert prediction.latency_s == pytest.approx(0.0062 + 0.02 + transfer_s + 0.003 + 3 * 0.0251)
    assert prediction.period_s == pytest.approx(0.02 + transfer_s + 0.003 + 3 * 0.0251)


def test_what_travels_nowhere_costs_the_edge_only():
    prediction = predict(
        OUTPUT, conditions(0.001, 1e6, edge_slowdown=2.0, cloud_slowdown=100.0, cloud_wait_s=100.0)
    )
    assert prediction.latency_s == prediction.period_s == pytest.approx(0.0484)
    assert prediction.frame_bytes == 0


def test_what_the_cloud_says_counts_and_else_this_machines_own_times():
    own = predict(PNG, conditions(tails_s={}))
    told = predict(PNG, conditions(tails_s={"layer3": 1.0}))
    assert told == own
    fast = predict(PNG, conditions(tails_s={"input": PNG.tail_s / 8}))
    computing_s = PNG.tail_s + PNG.decode_s
    ratio = (PNG.tail_s / 8) / (PNG.head_s + PNG.tail_s)
    assert own.latency_s - fast.latency_s == pytest.approx(
        computing_s - PNG.tail_s / 8 - ratio * PNG.decode_s
    )


def test_several_under_way_at_once_keep_a_faster_pace():
    alone, several = (predict(PNG, conditions(in_flight=count)) for count in (1, 4))
    assert several.period_s < alone.period_s
    assert several.period_s >= PNG.frame_bytes / (20 * MBIT), "but not a faster one than the link's"


def test_under_way_at_once_they_wait_for_each_other_only_if_they_come_too_fast():
    now = conditions(2, in_flight=4)
    assert predict(PNG, now).latency_s > 4 * PNG.frame_bytes / (2 * MBIT)
    slowly = replace(now, interval_s=1.0)
    assert predict(PNG, slowly).latency_s < 1.5 * PNG.frame_bytes / (2 * MBIT)


# --- where it should go -------------------------------------------------------------------------------------------


@pytest.mark.parametrize("objective", ["latency", "throughput", "bytes"])
def test_on_a_dead_link_the_edge_answers(objective):
    assert choose(RESNET50, conditions(0.001), Objective(objective, 0.95)) is OUTPUT


def test_a_slow_edge_on_a_fast_link_sends_the_picture():
    now = conditions(1000, 1, edge_slowdown=8.0)
    assert choose(RESNET50, now, EXACT) is PNG
    assert choose(RESNET50, now, Objective()).split_point == "input"


def test_in_between_it_is_somewhere_in_between():
    now = conditions(20, 1, edge_slowdown=8.0)
    assert choose(RESNET50, now, EXACT) is PNG
    chosen = [
        choose(RESNET50, replace(now, link=LinkState(mbit * MBIT, 0.001)), EXACT) for mbit in (0.1, 2, 100)
    ]
    assert chosen[0] is OUTPUT
    assert chosen[2] is PNG


def test_a_fast_edge_and_a_slow_cloud_stay_here():
    assert choose(RESNET50, conditions(1000, 1, tails_s={}, cloud_slowdown=10), EXACT) is OUTPUT


def test_the_fewest_bytes_are_none_unless_that_takes_too_long():
    assert choose(RESNET50, conditions(), Objective("bytes", 0.95)) is OUTPUT
    slow = conditions(1000, 1, edge_slowdown=8.0)
    assert choose(RESNET50, slow, Objective("bytes", 0.95, max_latency_s=0.1)) is PNG
    assert choose(RESNET50, slow, Objective("bytes", 0.5, max_latency_s=0.1)).frame_bytes == 3900


def test_of_equals_it_is_the_one_with_the_fewest_bytes():
    large, small = option("a", kb=100), option("b", kb=99.9)
    assert choose([large, small], conditions(1e6), Objective()) is small


def test_where_none_is_exact_enough_it_is_the_most_exact():
    away = [each for each in RESNET50 if each.split_point == "input" and each is not PNG]
    assert choose(away, conditions(), EXACT).agreement == 0.79


def test_where_none_is_fast_enough_it_is_the_one_that_misses_by_least_and_is_exact():
    now = conditions(1, 5)
    chosen = choose([PNG, JPEG, AVGPOOL, LAYER3], now, Objective(min_agreement=0.95, max_latency_s=0.001))
    assert chosen is AVGPOOL


def test_the_planner_brings_nothing_heavy():
    """It is a pure function that anybody may call, and so is its import."""
    script = "import sys, edge.planning.planner; sys.exit('torch' in sys.modules or 'numpy' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", script], cwd=ROOT, timeout=120, check=False).returncode == 0
