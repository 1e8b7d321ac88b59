"""The parent of several workers, with workers that are no processes, on a clock that does not wait."""

from __future__ import annotations

import asyncio
import json
import signal

import pytest
from kits import virtual_time
from kits.workers import READY, Run, until

from cloud.workers.channel import Message
from cloud.workers.parent import MOST_SILENT
from cloud.workers.started import MOST_IN_A_ROW

SESSION = {"name": "ab", "session": ["cd", "key", 1.0, 2.0]}


def test_the_first_worker_starts_alone_and_the_others_compute_as_it_does() -> None:
    async def scenario() -> None:
        run = Run(3)
        first = await run.started(1)
        assert (first.number, first.alike) == (1, None)
        await asyncio.sleep(100)
        assert len(run.workers) == 1
        await first.takes_frames()
        await run.started(3)
        for other in run.workers[1:]:
            assert other.alike == ["openvino", "bfloat16"]
        run.stop.set()
        assert await run.ended == 0
        assert [each.signals for each in run.workers] == [[signal.SIGTERM]] * 3

    virtual_time.run(scenario())


def test_where_no_process_can_be_started_it_is_tried_again(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        run = Run()
        first, _ = await run.serving()
        run.full = 3
        first.ends(137)
        assert (await run.started(3)).number == 1
        assert run.full == 0
        run.stop.set()
        assert await run.ended == 0

    virtual_time.run(scenario())
    assert caplog.text.count("worker 1: no process can be started: no more processes") == 3


def test_an_int8_network_says_nothing_of_others() -> None:
    async def scenario() -> None:
        run = Run()
        ready = Message("ready", {"alike": None, "digest": "old"})
        await (await run.started(1)).takes_frames(ready)
        assert (await run.started(2)).alike is None
        run.stop.set()
        await run.ended

    virtual_time.run(scenario())


def test_a_worker_that_dies_is_started_again_and_its_counters_stay(caplog: pytest.LogCaptureFixture) -> None:
    async def scenario() -> None:
        run = Run()
        first, second = await run.serving()
        first.count, second.count = 5, 7
        assert (await run.total())["c_total"] == 12
        first.ends(128 + signal.SIGKILL)
        third = await run.started(3)
        assert third.number == 1
        first.listens.clear()
        told = await run.total()
        assert (told["c_total"], told["splitdnn_cloud_worker_deaths_totalkilled"]) == (12, 1)
        await third.takes_frames()
        told = await run.total()
        assert (told["c_total"], told["splitdnn_cloud_workersready"]) == (13, 2)
        run.stop.set()
        assert await run.ended == 0

    virtual_time.run(scenario())
    assert "worker 1 has ended with status 137; another is started in 0.5 s" in caplog.text


@pytest.mark.parametrize(("number", "status"), [(1, 2), (1, 137), (2, 2)])
def test_a_worker_that_cannot_start_ends_the_cloud(number: int, status: int) -> None:
    async def scenario() -> None:
        run = Run()
        first = await run.started(1)
        if number == 2:
            await first.takes_frames()
            (await run.started(2)).ends(status)
        else:
            first.ends(status)
        assert await run.ended == status
        assert len(run.workers) == number

    virtual_time.run(scenario())


def test_a_worker_that_dies_again_and_again_ends_the_cloud() -> None:
    async def scenario() -> None:
        run = Run()
        await run.serving()
        run.workers[1].ends(139)
        for death in range(MOST_IN_A_ROW):
            (await run.started(3 + death)).ends(
                2 if death % 2 else 139
            )  # even one that cannot start any more
        assert await run.ended == 2
        assert run.workers[0].signals == [signal.SIGTERM], "the other drains"

    virtual_time.run(scenario())


def test_the_worst_status_is_the_clouds_and_whoever_does_not_drain_is_killed() -> None:
    async def scenario() -> None:
        run = Run()
        first, second = await run.serving()
        second.drains = False
        run.stop.set()
        assert await run.ended == 137
        assert first.signals == second.signals == [signal.SIGTERM]

    virtual_time.run(scenario())


def test_a_worker_that_was_told_to_stop_before_it_listened_did_nothing_wrong() -> None:
    async def scenario() -> None:
        run = Run()
        first = await run.started(1)
        first.drains = False
        run.stop.set()
        await until(lambda: first.signals)
        first.ends(128 + signal.SIGTERM)  # it had no handler yet
        assert await run.ended == 0

    virtual_time.run(scenario())


def test_a_worker_that_answers_no_more_is_killed_and_started_again() -> None:
    async def scenario() -> None:
        run = Run()
        first, _ = await run.serving()
        first.answers = False
        await run.started(3)
        assert first.hung
        assert first.silent >= MOST_SILENT
        first.listens.clear()
        assert (await run.total())["splitdnn_cloud_worker_deaths_totalhung"] == 1
        run.stop.set()
        await run.ended

    virtual_time.run(scenario())


def test_a_worker_is_not_killed_because_its_metrics_are_read_often() -> None:
    async def scenario() -> None:
        run = Run()
        first, second = await run.serving()
        first.answers = False
        for _ in range(3 * MOST_SILENT):
            await second.handle(second, Message("metrics"))
        await asyncio.sleep(8)  # one look
        assert (first.silent, first.hung, len(run.workers)) == (1, False, 2)
        first.answers = True
        await asyncio.sleep(8)
        assert first.silent == 0
        run.stop.set()
        await run.ended

    virtual_time.run(scenario())


def test_profiles_and_sessions_go_to_all_others_and_sessions_to_later_ones_too() -> None:
    async def scenario() -> None:
        run = Run()
        first, second = await run.serving()
        second.answer = {"refused": "all places are in use"}
        answer = await first.handle(first, Message("profile", {"client": "c"}, b"data"))
        assert answer.fields == {"refused": "all places are in use"}
        second.answer = {}
        assert (await first.handle(first, Message("profile", {"client": "c"}, b"data"))).fields == {}
        await second.handle(second, Message("session", SESSION))
        assert [each.kind for each in second.asked] == ["profile", "profile"]
        assert first.asked == [Message("session", SESSION)]
        second.ends(1)
        third = await run.started(3)
        assert await third.takes_frames() == {"ab": SESSION["session"]}
        await first.handle(first, Message("session", {"name": "ab", "session": None}))
        third.ends(1)
        assert await (await run.started(4)).takes_frames() == {}
        run.stop.set()
        await run.ended

    virtual_time.run(scenario())


def test_a_session_that_begins_before_a_worker_listens_is_not_lost_to_it() -> None:
    async def scenario() -> None:
        run = Run()
        first = await run.started(1)
        await first.takes_frames()
        second = await run.started(2)
        await until(lambda: hasattr(second, "handle"))
        await first.handle(first, Message("session", SESSION))
        assert second.asked == []
        assert json.loads((await second.handle(second, READY)).body) == {"ab": SESSION["session"]}
        over = Message("session", {"name": "ab", "session": None})
        await first.handle(first, over)
        assert second.asked == [over]
        run.stop.set()
        await run.ended

    virtual_time.run(scenario())


def test_a_new_network_is_taken_when_all_workers_that_serve_have_it() -> None:
    async def scenario() -> None:
        run = Run()
        first, second = await run.serving()
        new = Message("loaded", {"digest": "new"})
        waiting = asyncio.create_task(first.handle(first, new))
        await asyncio.sleep(1)
        assert not waiting.done()
        await second.handle(second, new)
        await waiting
        # One that dies meanwhile is not waited for, and the one in its place has the new network from its start.
        newer = Message("loaded", {"digest": "newer"})
        waiting = asyncio.create_task(first.handle(first, newer))
        await asyncio.sleep(1)
        assert not waiting.done()
        second.ends(1)
        await waiting
        third = await run.started(3)
        await third.takes_frames(Message("ready", {**READY.fields, "digest": "newer"}))
        await asyncio.wait_for(first.handle(first, newer), 1)
        # Nor for ever one that cannot load it.
        await asyncio.wait_for(first.handle(first, Message("loaded", {"digest": "bad there"})), 100)
        run.stop.set()
        await run.ended

    virtual_time.run(scenario())
