"""How long the cloud's tails take, read with suspicion and asked for while frames go on."""

from __future__ import annotations

import asyncio
import json
import logging
import math

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kits.planner import FUZZ

from edge.uplink.cloud_times import Asking, CloudTimes, parse_cloud_times
from edge.uplink.reply import UplinkError

HERE = bytes(range(8))
GOOD = {
    "fingerprint": HERE.hex(),
    "batch_sizes": [1, 4, 16],
    "tails_ms": {"input": [20.0, 40.0, 96.0], "layer3": [5.0, 8.0, 16.0], "output": [0, 0, 0]},
}


def test_what_the_cloud_says():
    times = parse_cloud_times(GOOD, HERE)
    assert times.alone_s == {"input": 0.02, "layer3": 0.005, "output": 0.0}
    assert times.by_batch_s[4] == {"input": 0.04, "layer3": 0.008, "output": 0.0}


@pytest.mark.parametrize(
    ("frames", "expected"), [(1, 0.02), (3, 0.02), (4, 0.01), (15, 0.01), (16, 0.006), (256, 0.006)]
)
def test_of_frames_that_come_together_each_has_its_part(frames, expected):
    assert parse_cloud_times(GOOD, HERE).batched_s(frames)["input"] == pytest.approx(expected)


def test_without_batches_a_frame_is_alone():
    assert CloudTimes({"input": 0.02}, {}).batched_s(8) == {"input": 0.02}
    assert CloudTimes({"input": 0.02}, {4: {"input": 0.01}}).batched_s(3) == {"input": 0.02}


def test_what_it_says_survives_json():
    assert parse_cloud_times(json.loads(json.dumps(GOOD)), HERE) == parse_cloud_times(GOOD, HERE)


@pytest.mark.parametrize("fingerprint", [bytes(8).hex(), HERE.hex().upper() + "0", "", None, 7, [HERE.hex()]])
def test_another_network_says_nothing(fingerprint):
    assert parse_cloud_times(GOOD | {"fingerprint": fingerprint}, HERE) is None


@pytest.mark.parametrize(
    "change",
    [
        {"batch_sizes": None},
        {"batch_sizes": 1},
        {"batch_sizes": []},
        {"batch_sizes": [2, 4, 16]},
        {"batch_sizes": ["one", "four", "more"]},
        {"batch_sizes": [1, 4, math.inf]},
        {"batch_sizes": [1, 4, math.nan]},
        {"batch_sizes": [1, 4, 16, 32]},
        {"batch_sizes": [1, [4], 16]},
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
    ],
)
def test_nonsense_says_nothing(change):
    assert parse_cloud_times(GOOD | change, HERE) is None


@pytest.mark.parametrize("name", list(GOOD))
def test_what_lacks_something_says_nothing(name):
    assert parse_cloud_times({key: each for key, each in GOOD.items() if key != name}, HERE) is None
    assert parse_cloud_times({}, HERE) is None


_anything = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(max_size=4),
    lambda inner: st.lists(inner, max_size=4) | st.dictionaries(st.text(max_size=4), inner, max_size=4),
    max_leaves=8,
)


@FUZZ
@given(
    st.fixed_dictionaries(
        {}, optional={"fingerprint": st.just(HERE.hex()), "batch_sizes": _anything, "tails_ms": _anything}
    ),
    st.integers(1, 300),
)
def test_whatever_it_says_is_nothing_or_seconds(there, frames):
    times = parse_cloud_times(there, HERE)
    if times is not None:
        for found in (times.alone_s, times.batched_s(frames)):
            assert all(0 <= each < math.inf for each in found.values())


# --- asking for them ----------------------------------------------------------------------------------------------

TIMES = parse_cloud_times(GOOD, HERE)


class Cloud:
    """Answers with what is set; an Event among the answers is waited for."""

    def __init__(self, *answers):
        self.answers = list(answers)
        self.asked = 0
        self.taken = []

    async def ask(self):
        self.asked += 1
        answer = self.answers.pop(0)
        if isinstance(answer, asyncio.Event):
            await answer.wait()
            return TIMES
        if isinstance(answer, Exception):
            raise answer
        return answer


async def settle():
    for _ in range(5):
        await asyncio.sleep(0)


def asked_of(cloud, times=1):
    """Ask so many times, one after the other."""

    async def run():
        asking = Asking(cloud.ask, cloud.taken.append)
        for _ in range(times):
            asking.again()
            await settle()
        await asking.close()

    asyncio.run(run())
    return cloud


def test_the_times_are_taken():
    assert asked_of(Cloud(TIMES)).taken == [TIMES]


def test_they_are_asked_for_again_whenever_the_cloud_is_back():
    other = CloudTimes({"input": 1.0}, {})
    assert asked_of(Cloud(TIMES, other), 2).taken == [TIMES, other]


def test_a_cloud_that_does_not_say_is_one_line(caplog):
    caplog.set_level(logging.INFO)
    assert asked_of(Cloud(None)).taken == []
    (line,) = caplog.records
    assert line.levelno == logging.INFO
    assert line.getMessage() == "the cloud does not say how fast it is; its speed is taken from its answers"


def test_a_cloud_that_is_away_is_one_line_and_is_asked_again(caplog):
    caplog.set_level(logging.INFO)
    assert asked_of(Cloud(UplinkError("unreachable", "nobody there"), TIMES), 2).taken == [TIMES]
    (line,) = caplog.records
    assert "the cloud does not say how fast it is (nobody there)" in line.getMessage()


def test_while_one_question_waits_no_second_is_asked():
    async def run():
        gate = asyncio.Event()
        cloud = Cloud(gate, TIMES)
        asking = Asking(cloud.ask, cloud.taken.append)
        for _ in range(3):
            asking.again()
            await settle()
        assert (cloud.asked, cloud.taken) == (1, [])
        gate.set()
        await settle()
        assert cloud.taken == [TIMES]
        asking.again()
        await settle()
        assert cloud.asked == 2
        await asking.close()

    asyncio.run(run())


def test_close_does_not_wait_for_an_answer():
    async def run():
        cloud = Cloud(asyncio.Event())
        asking = Asking(cloud.ask, cloud.taken.append)
        asking.again()
        await settle()
        await asyncio.wait_for(asking.close(), 5)
        assert asyncio.all_tasks() == {asyncio.current_task()}
        assert cloud.taken == []

    asyncio.run(run())


def test_close_without_a_question():
    async def run():
        await Asking(Cloud().ask, print).close()

    asyncio.run(run())
