"""Every frame read is answered once, in order, or counted as dropped; and how a run ends."""

from __future__ import annotations

import asyncio
import threading

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kits.edge import FakeSource, FakeUplink, Run, pictures, same_answer
from kits.tiny import whole

from edge.metrics import FALLBACKS, OUTCOMES
from shared.errors import SourceError

FALLBACK_OF = {"good": None, "slow": None, "raises": "refused"} | {
    reason: reason for reason in FALLBACKS if reason != "encode"
}


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.sampled_from(sorted(FALLBACK_OF)), max_size=15),
    st.integers(1, 5),
    st.integers(1, 3),
    st.integers(1, 3),
)
def test_lossless_every_frame_is_answered_once_in_order(outcomes, in_flight, queue_size, heads):
    frames = list(pictures(len(outcomes)))
    uplink = FakeUplink(outcomes=outcomes)
    run = Run(FakeSource(frames), uplink, in_flight=in_flight, queue_size=queue_size, head_workers=heads)
    records = run.to_end()
    assert [each.frame for each in records] == list(range(len(outcomes)))
    assert [each.fallback for each in records] == [FALLBACK_OF[outcome] for outcome in outcomes]
    for each, frame in zip(records, frames, strict=True):
        assert each.answered_by == ("edge" if each.fallback else "cloud")
        assert same_answer(each.answer.top, whole(run.model, frame))
    for outcome in OUTCOMES:
        assert run.count("frames_total", outcome=outcome) == run.answered_by().count(outcome)
    for reason in FALLBACKS:
        assert run.count("fallbacks_total", reason=reason) == sum(each.fallback == reason for each in records)
    assert run.count("frame_latency_seconds_count") == len(outcomes)
    assert run.camera.dropped == 0


@pytest.mark.parametrize("in_flight", [2, 4])
def test_answers_that_overtake_each_other_are_put_in_order(in_flight):
    """Frame 0 is answered after all others were."""

    async def go():
        last = asyncio.Event()
        run = Run(FakeSource(pictures(12)), FakeUplink(outcomes={0: last}), in_flight=in_flight)
        task = asyncio.create_task(run.pipeline.run())
        while run.count("frames_total", outcome="cloud") < 11:
            await asyncio.sleep(0.002)
        assert run.records == [], "none is given away before its turn"
        last.set()
        await task
        return run

    run = asyncio.run(go())
    assert [each.frame for each in run.records] == list(range(12))
    assert run.records[0].stages_ms["send"] > 0


def test_a_lossless_source_waits_for_a_slow_cloud():
    """What is read ahead is what the queues and the requests under way hold."""

    async def go():
        gate = asyncio.Event()
        source = FakeSource(pictures(40))
        run = Run(source, FakeUplink(outcomes=[gate] * 40), in_flight=2, queue_size=3)
        task = asyncio.create_task(run.within())
        while source.given < 14 or run.count("queue_depth", queue="send") < 8:
            await asyncio.sleep(0.002)
        await asyncio.sleep(0.02)  # for more than there is room for
        # 2 asked, 8 between the queue and the uplink, which are encoded and wait to be sent by now, 3 wait for the first step, 1 for
        # a place there
        assert source.given == 14
        assert run.count("queue_depth", queue="send") == 8
        gate.set()
        await task
        return run

    run = asyncio.run(go())
    assert len(run.records) == 40
    for queue, capacity in {"capture": 3, "head": 1, "encode": 1, "send": 8}.items():
        assert run.count("queue_depth", queue=queue) == 0
        assert run.count("queue_capacity", queue=queue) == capacity


def test_live_drops_the_oldest_and_counts():
    async def go():
        gate = asyncio.Event()
        source = FakeSource(pictures(30), live=True)
        run = Run(source, FakeUplink(outcomes=[gate] * 30), in_flight=1, queue_size=2)
        task = asyncio.create_task(run.within())
        await asyncio.to_thread(source.ended.wait, 60)
        gate.set()
        await task
        return run

    run = asyncio.run(go())
    numbers = [each.frame for each in run.records]
    # at most 1 asked, 2 waited to be sent, 1 had left the head, 2 waited for it
    assert 2 <= len(numbers) <= 6
    assert numbers[-2:] == [28, 29], "the newest are kept"
    assert numbers == sorted(set(numbers))
    assert len(numbers) + run.camera.dropped == 30
    assert run.count("frames_total", outcome="dropped") == run.camera.dropped
    assert run.count("frames_total", outcome="cloud") == len(numbers)


def test_a_stop_after_some_frames():
    source = FakeSource(pictures(None))
    run = Run(source, frames=7)
    assert [each.frame for each in run.to_end()] == list(range(7))
    assert source.given == 7, "no frame is read in vain"


# --- the end ---------------------------------------------------------------------------------------------------


def test_stop_answers_what_was_read():
    async def go():
        gate = asyncio.Event()
        source = FakeSource(pictures(None))
        run = Run(source, FakeUplink(outcomes=dict.fromkeys(range(100), gate)), in_flight=1, queue_size=2)
        task = asyncio.create_task(run.within())
        while run.count("queue_depth", queue="capture") < 2 or run.count("queue_depth", queue="send") < 2:
            await asyncio.sleep(0.002)
        run.pipeline.stop()
        run.pipeline.stop()
        gate.set()
        await task
        return run

    run = asyncio.run(go())
    assert [each.frame for each in run.records] == list(range(run.source.given))
    assert run.camera.dropped == 0, "not even the one that waited for a place"


def test_stop_of_a_live_source_answers_what_waits():
    async def go():
        gate, more = asyncio.Event(), threading.Event()
        source = FakeSource([*pictures(4), more, *pictures(1)], live=True)
        run = Run(source, FakeUplink(outcomes=[gate] * 4), in_flight=1, queue_size=2)
        task = asyncio.create_task(run.within())
        while source.given < 4 or not run.uplink.frames:
            await asyncio.sleep(0.002)
        run.pipeline.stop()
        gate.set()
        while len(run.records) + run.camera.dropped < 4:
            await asyncio.sleep(0.002)
        assert not task.done(), "the reader is given a moment to end"
        more.set()  # what Reconnecting.stop does
        await task
        return run

    run = asyncio.run(go())
    assert run.records[-1].frame == 3
    assert run.source.given == 5
    assert len(run.records) + run.camera.dropped == 5, "one read after the stop is counted as dropped"


def test_stop_before_the_start():
    run = Run(FakeSource(pictures(None)))
    run.pipeline.stop()
    assert run.to_end() == []
    assert run.source.given == 0


@pytest.mark.parametrize("error", [SourceError("gone"), ValueError("a bug"), KeyError()])
def test_a_source_that_breaks_down_surfaces_after_the_answers(error, caplog):
    run = Run(FakeSource([*pictures(5), error, *pictures(5)]), FakeUplink(outcomes=["slow"] * 5))
    with pytest.raises(SourceError, match="gone" if isinstance(error, SourceError) else "fake: "):
        run.to_end()
    assert [each.frame for each in run.records] == list(range(5))
    assert bool(caplog.records) != isinstance(error, SourceError), "a bug leaves its traceback in the log"


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize("at", [0, 5])
def test_a_sink_that_raises_ends_the_run(at, live):
    def sink(record):
        if record.frame >= at:
            raise BrokenPipeError("the reader has gone")

    run = Run(FakeSource(pictures(None), live=live), FakeUplink(outcomes=["slow"] * 50), sinks=[sink])
    with pytest.raises(BrokenPipeError):
        run.to_end()
    seen = [each.frame for each in run.records]
    assert seen[-1] >= at
    assert len(seen) <= 50, "it ended at once"


def test_a_sink_that_raises_does_not_wait_for_the_cloud():
    """The other requests may be under way for as long as the deadline."""

    def sink(record):
        raise BrokenPipeError("the reader has gone")

    never = asyncio.Event()
    run = Run(
        FakeSource(pictures(None)), FakeUplink(outcomes=dict.fromkeys(range(1, 50), never)), sinks=[sink]
    )
    with pytest.raises(BrokenPipeError):
        run.to_end()
    assert [each.frame for each in run.records] == [0]


def test_a_run_that_is_cancelled_leaves_nothing_behind():
    async def go():
        run = Run(FakeSource(pictures(None)), FakeUplink(outcomes=dict.fromkeys(range(100), asyncio.Event())))
        task = asyncio.create_task(run.within())
        while len(run.uplink.frames) < 3:
            await asyncio.sleep(0.002)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task

    asyncio.run(go())
    assert not [
        thread.name
        for thread in threading.enumerate()
        if thread.name.startswith(("capture", "preprocess", "head", "encode", "tail"))
    ]
