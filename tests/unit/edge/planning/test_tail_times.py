"""How long the cloud's tails take, read with suspicion."""

from __future__ import annotations

import json
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kits.planner import FUZZ

from edge.planning.costs.tail_times import TailTimes, parse_tail_times

GOOD = {
    "batch_sizes": [1, 4, 16],
    "tails_ms": {"input": [20.0, 40.0, 96.0], "layer3": [5.0, 8.0, 16.0], "output": [0, 0, 0]},
}


def test_what_the_cloud_says():
    times = parse_tail_times(GOOD)
    assert times.alone_s == {"input": 0.02, "layer3": 0.005, "output": 0.0}
    assert times.by_batch_s[4] == {"input": 0.04, "layer3": 0.008, "output": 0.0}


def test_of_frames_that_come_together_each_has_its_part():
    for frames, expected in [(1, 0.02), (3, 0.02), (4, 0.01), (15, 0.01), (16, 0.006), (256, 0.006)]:
        assert parse_tail_times(GOOD).batched_s(frames)["input"] == pytest.approx(expected), frames


def test_without_batches_a_frame_is_alone():
    assert TailTimes({"input": 0.02}, {}).batched_s(8) == {"input": 0.02}
    assert TailTimes({"input": 0.02}, {4: {"input": 0.01}}).batched_s(3) == {"input": 0.02}


def test_what_it_says_survives_json():
    assert parse_tail_times(json.loads(json.dumps(GOOD))) == parse_tail_times(GOOD)


NONSENSE = [
    {"batch_sizes": None},
    {"batch_sizes": 1},
    {"batch_sizes": []},
    {"batch_sizes": [2, 4, 16]},
    {"batch_sizes": ["one", "four", "more"]},
    {"batch_sizes": [1, 4, math.inf]},
    {"batch_sizes": [1, 4, math.nan]},
    {"batch_sizes": [1, 4, 16, 32]},
    {"batch_sizes": [1, [4], 16]},
    {"batch_sizes": [1, 0, 16]},
    {"batch_sizes": [1, -5, 16]},
    {"batch_sizes": [1, True, 16]},
    {"batch_sizes": [1, 4.0, 16]},
    {"batch_sizes": [1, 4, 10**400]},
    {"batch_sizes": "146"},
    {"batch_sizes": list(range(1, 30_000))},
    {"tails_ms": {"input": [20.0, 40.0, 1e308]}},
    {"tails_ms": {"input": [20.0, True, 96.0]}},
    {"tails_ms": None},
    {"tails_ms": [1, 2]},
    {"tails_ms": "input"},
    {"tails_ms": {"input": None}},
    {"tails_ms": {"input": 20.0}},
    {"tails_ms": {"input": []}},
    {"tails_ms": {"input": [20.0, 40.0]}},
    {"tails_ms": {"input": [20.0, -1.0, 96.0]}},
    {"tails_ms": {"input": [20.0, math.nan, 96.0]}},
    {"tails_ms": {"input": [20.0, math.inf, 96.0]}},
    {"tails_ms": {"input": [20.0, 10**400, 96.0]}},
    {"tails_ms": {"input": [20.0, "40", 96.0]}},
    {"tails_ms": {"input": {"1": 20.0}}},
]


def test_nonsense_says_nothing():
    for change in NONSENSE:
        assert parse_tail_times(GOOD | change) is None, change


@pytest.mark.parametrize("name", list(GOOD))
def test_what_lacks_something_says_nothing(name):
    assert parse_tail_times({key: each for key, each in GOOD.items() if key != name}) is None
    assert parse_tail_times({}) is None


_anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=8,
)


@FUZZ
@given(
    st.fixed_dictionaries({}, optional={"batch_sizes": _anything, "tails_ms": _anything}),
    st.integers(1, 300),
)
def test_whatever_it_says_is_nothing_or_seconds(there, frames):
    times = parse_tail_times(there)
    if times is not None:
        for found in (times.alone_s, times.batched_s(frames)):
            assert all(0 <= each < math.inf for each in found.values())
