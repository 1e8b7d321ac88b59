"""The frame whose answer later frames repeat: answered, late, lost, or never."""

from __future__ import annotations

import asyncio
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kits.edge import FakeSource, FakeUplink, same_answer
from kits.still import SCENES, A, B, GatedUplink, consistent, still
from kits.tiny import whole

from edge.metrics import FALLBACKS
from shared.wire import frame as wire


def meanwhile(outcome, frames, **changes):
    """Frames 0, 1 and 2 show one scene; 1 and 2 are encoded before 0, which is on its way, comes to `outcome`."""

    async def go():
        more = threading.Event()
        uplink = GatedUplink(outcomes=[outcome])
        uplink.gate = asyncio.Event()
        run = still([A] * 3 + [more] + frames, uplink, in_flight=3, **changes)
        task = asyncio.create_task(run.within())
        while run.count("stage_duration_seconds_count", stage="wait_uplink") < 3:
            await asyncio.sleep(0.002)
        await asyncio.sleep(0.02)
        assert run.records == []
        uplink.gate.set()
        while len(run.records) < 3:
            await asyncio.sleep(0.002)
        more.set()
        await task
        return run

    return asyncio.run(go())


def test_an_answer_that_is_still_to_come_is_waited_for():
    run = meanwhile("good", [A, B])
    assert consistent(run) == ["cloud", "still", "still", "still", "cloud"]
    for each in run.records[1:3]:
        assert 20 <= each.stages_ms["wait_answer"] <= each.latency_ms
    assert run.count("stage_duration_seconds_count", stage="wait_answer") == 3


@pytest.mark.parametrize("outcome", [*(reason for reason in FALLBACKS if reason != "encode"), "raises"])
def test_without_that_answer_the_edge_answers_and_the_next_frame_is_sent(outcome):
    run = meanwhile(outcome, [A] * 3)
    assert consistent(run)[:4] == ["edge", "edge", "edge", "cloud"]
    assert {each.fallback for each in run.records[:3]} == {"refused" if outcome == "raises" else outcome}
    for each in run.records[:3]:
        assert same_answer(each.answer.top, whole(run.model, A)), "of what did not travel nothing was lost"
    assert [frame.frame_id & 0xFFFF for frame in run.uplink.frames] == [0, 3]
    assert {each.repeats for each in run.records[4:]} == {3}


def test_an_answer_is_waited_for_until_the_deadline():
    async def go():
        never = asyncio.Event()
        run = still([A] * 2, FakeUplink(outcomes=[never]), deadline_s=0.05)
        task = asyncio.create_task(run.within())
        while not run.count("fallbacks_total", reason="late"):
            await asyncio.sleep(0.002)
        never.set()
        await task
        return run

    run = asyncio.run(go())
    assert consistent(run) == ["cloud", "edge"]
    assert run.records[1].fallback == "late"
    assert run.records[1].stages_ms["wait_answer"] >= 50
    assert same_answer(run.records[1].answer.top, whole(run.model, A))


def test_a_frame_that_could_not_be_encoded_is_repeated_by_none(monkeypatch):
    pack = wire.pack
    calls = iter([True, False, False])

    def torn(frame):
        if next(calls):
            raise wire.LimitError("too large", accepted={})
        return pack(frame)

    monkeypatch.setattr(wire, "pack", torn)
    run = still([A] * 4)
    run.to_end()
    assert consistent(run) == ["edge", "cloud", "still", "still"]
    assert run.records[0].fallback == "encode"


def test_a_live_source_drops_as_ever():
    async def go():
        gate = asyncio.Event()
        source = FakeSource([A] * 30, live=True)
        run = still(source, FakeUplink(outcomes=[gate]), in_flight=1)
        task = asyncio.create_task(run.within())
        await asyncio.to_thread(source.ended.wait, 10)
        gate.set()
        await task
        return run

    run = asyncio.run(go())
    assert len(run.records) + run.camera.dropped == 30
    assert run.camera.dropped > 0
    assert consistent(run) == ["cloud", *["still"] * (len(run.records) - 1)]


def test_a_run_that_is_cancelled_leaves_no_frame_waiting():
    async def go():
        run = still([A] * 3, FakeUplink(outcomes=[asyncio.Event()]))
        task = asyncio.create_task(run.within())
        while run.count("stage_duration_seconds_count", stage="wait_uplink") < 3:
            await asyncio.sleep(0.002)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(go())


OUTCOME = st.sampled_from(["good", "slow", "raises", *(each for each in FALLBACKS if each != "encode")])


@settings(max_examples=25, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 3), OUTCOME), max_size=15), st.integers(1, 5), st.integers(1, 3))
def test_every_frame_is_answered_once_in_order_and_for_its_own_scene(frames, in_flight, queue_size):
    uplink = FakeUplink(outcomes=[outcome for _, outcome in frames])
    run = still([SCENES[scene] for scene, _ in frames], uplink, in_flight=in_flight, queue_size=queue_size)
    records = run.to_end()
    assert [each.frame for each in records] == list(range(len(frames)))
    answered_by = consistent(run)
    assert "nobody" not in answered_by
    for each, (scene, _) in zip(records, frames, strict=True):
        assert bool(each.fallback) == (each.answered_by == "edge")
        if each.answered_by == "still":
            assert frames[each.repeats][0] == scene
        if each.fallback:
            assert same_answer(each.answer.top, whole(run.model, SCENES[scene]))
    assert len(run.uplink.frames) == sum(each.payload_bytes > 0 for each in records)
