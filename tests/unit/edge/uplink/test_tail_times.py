"""The cloud's tail times are asked for whenever it was greeted, while frames go on."""

from __future__ import annotations

import asyncio
import logging

import pytest
from kits.uplink import FRAME, MODEL, with_cloud

TIMES = {"fingerprint": MODEL.fingerprint.hex(), "batch_sizes": [1], "tails_ms": {"input": [20.0]}}


class Taking:
    """Takes what the uplink hands over."""

    def __init__(self, *, well=True):
        self.taken = []
        self.well = well

    def __call__(self, said):
        self.taken.append(said)
        return self.well

    async def until(self, times):
        while len(self.taken) < times:
            await asyncio.sleep(0.001)


def told(caplog):
    return [line.getMessage() for line in caplog.records if "how fast" in line.getMessage()]


def test_what_the_cloud_says_is_handed_over():
    async def check(cloud, uplink):
        cloud.tail_times, take = TIMES, Taking()
        uplink.follow_tail_times(take)
        await uplink.check()
        await take.until(1)
        assert take.taken == [TIMES]
        assert cloud.asked == ["/tail-times"]

    with_cloud(check)


def test_it_is_asked_again_whenever_the_cloud_is_back():
    async def check(cloud, uplink):
        take = Taking()
        uplink.follow_tail_times(take)
        for times in range(1, 4):
            cloud.tail_times = TIMES | {"tails_ms": {"input": [float(times)]}}
            await uplink.check()
            await take.until(times)
            await asyncio.sleep(0)
        assert [said["tails_ms"]["input"] for said in take.taken] == [[1.0], [2.0], [3.0]]

    with_cloud(check)


def test_an_edge_that_does_not_plan_asks_for_no_times():
    async def check(cloud, uplink):
        await uplink.check()
        await uplink.ask(FRAME)
        assert cloud.asked == []

    with_cloud(check)


def test_an_older_cloud_is_asked_by_the_older_path():
    async def check(cloud, uplink):
        cloud.profile = TIMES
        assert await uplink.tail_times() == TIMES
        assert cloud.asked == ["/tail-times", "/profile"]

    with_cloud(check)


@pytest.mark.parametrize("answer", [(500, TIMES), (503, {}), (200, b"<html>"), (200, b"[]")], ids=repr)
def test_only_a_cloud_without_the_path_is_asked_by_the_older_one(answer):
    async def check(cloud, uplink):
        cloud.tail_times, cloud.profile = answer, TIMES
        assert await uplink.tail_times() == {}
        assert cloud.asked == ["/tail-times"]

    with_cloud(check)


def test_the_times_of_another_network_are_none():
    async def check(cloud, uplink):
        correct = MODEL.fingerprint.hex()
        for fingerprint in (bytes(8).hex(), correct.upper() + "0", "", None, 7, [correct]):
            cloud.tail_times = TIMES | {"fingerprint": fingerprint}
            assert await uplink.tail_times() == {}, fingerprint
        del cloud.tail_times["fingerprint"]
        assert await uplink.tail_times() == {}

    with_cloud(check)


@pytest.mark.parametrize("said", [None, TIMES], ids=["nothing", "nonsense"])
def test_a_cloud_that_does_not_say_is_one_line(said, caplog):
    caplog.set_level(logging.INFO)

    async def check(cloud, uplink):
        cloud.tail_times, take = said or cloud.tail_times, Taking(well=False)
        uplink.follow_tail_times(take)
        await uplink.check()
        await take.until(1)
        await asyncio.sleep(0)
        assert take.taken == [said or {}]

    with_cloud(check)
    assert told(caplog) == ["the cloud does not say how fast it is; its speed is taken from its answers"]
    assert {line.levelno for line in caplog.records if "how fast" in line.getMessage()} == {logging.INFO}


def test_a_cloud_that_is_away_is_one_line_and_is_asked_again(caplog):
    caplog.set_level(logging.INFO)

    async def check(cloud, uplink):
        cloud.tail_times, take = cloud.cut, Taking()
        uplink.follow_tail_times(take)
        await uplink.check()
        while not told(caplog):
            await asyncio.sleep(0.001)
        await asyncio.sleep(0)
        cloud.tail_times = TIMES
        await uplink.check()
        await take.until(1)

    with_cloud(check)
    (line,) = told(caplog)
    assert line.startswith("the cloud does not say how fast it is (")
    assert line.endswith("); its speed is taken from its answers")


def test_while_one_question_waits_no_second_is_asked():
    async def check(cloud, uplink):
        gate = asyncio.Event()

        async def measured_late(request):
            await gate.wait()
            return await cloud._respond(TIMES, request)

        cloud.tail_times, take = measured_late, Taking()
        uplink.follow_tail_times(take)
        for _ in range(3):
            await uplink.check()
        while not cloud.asked:
            await asyncio.sleep(0.001)
        assert take.taken == []
        gate.set()
        await take.until(1)
        await asyncio.sleep(0.02)
        assert cloud.asked == ["/tail-times"]
        await uplink.check()
        await take.until(2)
        assert len(cloud.asked) == 2

    with_cloud(check)


def test_the_end_does_not_wait_for_an_answer():
    async def check(cloud, uplink):
        cloud.tail_times = cloud.never
        uplink.follow_tail_times(Taking())
        await uplink.check()
        while not cloud.asked:
            await asyncio.sleep(0.001)

    with_cloud(check)
