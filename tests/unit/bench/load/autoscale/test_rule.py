"""The autoscaler's rule, by the published one: ratios, pods without a value, windows and policies."""

from __future__ import annotations

import pytest

from bench.load.autoscale.rule import Autoscaler, Bounds, Direction, Policy, Reading, Total, wished

AT_ONCE = Direction(0, (Policy("Percent", 1000, 15),))
BOUNDS = Bounds(1, 100, AT_ONCE, Direction(0, (Policy("Percent", 100, 15),)))


def test_as_many_pods_as_bring_the_mean_to_the_target():
    for values, target, replicas, expected in (
        ([200.0] * 3, 100, 3, 6),
        ([50.0] * 3, 100, 3, 2),
        ([109.0] * 3, 100, 3, 3),
        ([111.0] * 3, 100, 3, 4),
        ([91.0] * 3, 100, 3, 3),
        ([0.0] * 5, 100, 5, 0),
        ([300.0, 0.0, 0.0], 100, 3, 3),
        ([], 100, 4, 4),
    ):
        assert wished(Reading(values, target), replicas) == expected, values


def test_pods_without_a_value_hold_back_both_ways():
    for reading, replicas, expected in (
        (Reading([200.0] * 2, 100, missing=2), 4, 4),  # idle: the mean is 100
        (Reading([400.0] * 2, 100, missing=2), 4, 8),
        (Reading([10.0] * 2, 100, missing=2), 4, 3),  # as on target: 220 of 400
        (Reading([190.0] * 2, 100, missing=3), 5, 5),  # would turn the way round
        (Reading([200.0] * 2, 100, unready=2), 4, 4),
        (Reading([10.0] * 2, 100, unready=2), 4, 1),  # those that are starting are not looked at
        (Reading([10.0] * 3, 100, missing=1, unready=1), 5, 2),
    ):
        assert wished(reading, replicas) == expected, reading


def test_a_total_is_divided_by_what_one_pod_may_have():
    for total, replicas, expected in ((80.0, 5, 10), (42.0, 5, 5), (1.0, 5, 1), (0.0, 5, 0), (41.0, 2, 6)):
        assert wished(Total(total, 8), replicas) == expected, total


def test_the_largest_wish_counts_and_bounds_hold():
    scaler = Autoscaler(Bounds(2, 6, AT_ONCE, BOUNDS.down))
    assert scaler.sync(15, 2, [Total(24, 8), Total(0, 1)]) == 3
    assert scaler.sync(30, 3, [Total(800, 8)]) == 6
    assert scaler.sync(45, 6, [Total(0, 8)]) == 2


def test_a_metric_that_is_missing_takes_no_pods_away_and_does_not_keep_from_adding():
    scaler = Autoscaler(BOUNDS)
    assert scaler.sync(15, 4, [None, Total(8, 8)]) == 4
    assert scaler.sync(30, 4, [None, Total(64, 8)]) == 8
    assert scaler.sync(45, 8, [None, None]) == 8


def test_the_window_takes_the_most_wished_for_taking_away_and_the_least_for_adding():
    scaler = Autoscaler(Bounds(1, 100, Direction(60, AT_ONCE.policies), Direction(300, BOUNDS.down.policies)))
    assert scaler.sync(0, 4, [Total(32, 8)]) == 4
    assert scaler.sync(15, 4, [Total(80, 8)]) == 4, "10 are wished for, but 4 were within the last minute"
    assert scaler.sync(61, 4, [Total(64, 8)]) == 8, "the least within a minute"
    assert scaler.sync(75, 8, [Total(8, 8)]) == 8, "the most within five minutes is 10"
    assert scaler.sync(314, 8, [Total(8, 8)]) == 8
    assert scaler.sync(362, 8, [Total(8, 8)]) == 1


def test_policies_count_what_changed_within_their_period():
    up = Direction(0, (Policy("Percent", 100, 15), Policy("Pods", 4, 15)))
    scaler = Autoscaler(Bounds(1, 100, up, BOUNDS.down))
    found = [2]
    for turn in range(1, 5):
        found.append(scaler.sync(15.0 * turn, found[-1], [Total(1e6, 1)]))
    assert found == [2, 6, 12, 24, 48]

    down = Direction(0, (Policy("Percent", 25, 60), Policy("Pods", 1, 60)))
    scaler = Autoscaler(Bounds(1, 100, up, down))
    found = [12]
    for turn in range(1, 10):
        found.append(scaler.sync(15.0 * turn, found[-1], [Total(0, 1)]))
    assert found == [12, 9, 9, 9, 9, 6, 6, 6, 6, 4], "the period counts from what there was at its beginning"


@pytest.mark.parametrize(("select", "expected"), [("Max", 8), ("Min", 5), ("Disabled", 4)])
def test_which_policy_counts_is_said(select, expected):
    up = Direction(0, (Policy("Percent", 100, 15), Policy("Pods", 1, 15)), select)
    assert Autoscaler(Bounds(1, 100, up, BOUNDS.down)).sync(0, 4, [Total(1e6, 1)]) == expected


def test_the_least_of_the_policies_that_take_away_counts_too():
    down = Direction(0, (Policy("Percent", 50, 15), Policy("Pods", 1, 15)), "Min")
    assert Autoscaler(Bounds(1, 100, AT_ONCE, down)).sync(0, 8, [Total(0, 1)]) == 7
