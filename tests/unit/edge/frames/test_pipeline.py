"""The way of a frame through the edge: every frame read is answered once, in order, or counted as dropped."""

from __future__ import annotations

import asyncio
import dataclasses
import threading
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kits.edge import (
    SIDE,
    FakeSource,
    FakeUplink,
    Run,
    pictures,
    plan_of,
    resnet18,
    same_answer,
    tiny_model,
    whole,
)

from edge.frames.preprocess import Preprocess
from edge.metrics import FALLBACKS, OUTCOMES, STEPS
from shared.codecs import decode_frame
from shared.errors import SourceError
from shared.network.resize import resize_and_crop
from shared.tasks.classify import top_classes
from shared.wire import frame as wire

FALLBACK_OF = {"good": None, "slow": None, "raises": "refused"} | {
    reason: reason for reason in FALLBACKS if reason != "encode"
}


@settings(max_examples=25, deadline=None)
@given(
    st.lists(st.sampled_from(sorted(FALLBACK_OF)), max_size=15),
    st.integers(1, 5),
    st.integers(1, 3),
)
def test_lossless_every_frame_is_answered_once_in_order(outcomes, in_flight, queue_size):
    frames = list(pictures(len(outcomes)))
    run = Run(FakeSource(frames), FakeUplink(outcomes=outcomes), in_flight=in_flight, queue_size=queue_size)
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
    assert run.pipeline.dropped == 0


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
        while len(run.uplink.frames) < 2 or run.count("queue_depth", queue="capture") < 3:
            await asyncio.sleep(0.002)
        await asyncio.sleep(0.02)
        # 2 asked, 3 wait to be sent, 1 encoded, 1 waits for that, 1 has left the head, 1 waits for it, 1 prepared, 3 wait
        # for that, 1 waits for a place
        assert source.given == 14
        assert run.count("queue_depth", queue="send") == 3
        gate.set()
        await task
        return run

    run = asyncio.run(go())
    assert len(run.records) == 40
    for queue, capacity in {"capture": 3, "head": 1, "encode": 1, "send": 3}.items():
        assert run.count("queue_depth", queue=queue) == 0
        assert run.count("queue_capacity", queue=queue) == capacity


def test_live_drops_the_oldest_and_counts():
    async def go():
        gate = asyncio.Event()
        source = FakeSource(pictures(30), live=True)
        run = Run(source, FakeUplink(outcomes=[gate] * 30), in_flight=1, queue_size=2)
        task = asyncio.create_task(run.within())
        await asyncio.to_thread(source.ended.wait, 10)
        gate.set()
        await task
        return run

    run = asyncio.run(go())
    numbers = [each.frame for each in run.records]
    # at most 1 asked, 2 waited to be sent, 1 had left the head, 2 waited for it
    assert 2 <= len(numbers) <= 6
    assert numbers[-2:] == [28, 29], "the newest are kept"
    assert numbers == sorted(set(numbers))
    assert len(numbers) + run.pipeline.dropped == 30
    assert run.count("frames_total", outcome="dropped") == run.pipeline.dropped
    assert run.count("frames_total", outcome="cloud") == len(numbers)


def test_a_stop_after_some_frames():
    source = FakeSource(pictures(None))
    run = Run(source, frames=7)
    assert [each.frame for each in run.to_end()] == list(range(7))
    assert source.given == 7, "no frame is read in vain"


# --- who answers ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("point", ["input", "conv", "pool", "flatten"])
def test_the_edge_answers_as_the_whole_network_would(point):
    codec = "raw" if point == "input" else "int8"
    frames = list(pictures(6))
    run = Run(FakeSource(frames), FakeUplink(outcomes=["unreachable"] * 6), split_point=point, codec=codec)
    for each, frame in zip(run.to_end(), frames, strict=True):
        assert each.answered_by == "edge"
        assert same_answer(each.answer.top, whole(run.model, frame)), "of what did not travel nothing was lost"
        assert each.split_point == point
        assert each.codec == codec


@pytest.mark.parametrize("outcome", ["good", "late"])
def test_a_real_network_answers_alike_on_both_sides(outcome):
    model = resnet18()
    frame = np.random.default_rng(1).integers(0, 256, (240, 320, 3), dtype=np.uint8)
    run = Run(
        FakeSource([frame] * 2), FakeUplink(model, [outcome] * 2), model=model, split_point="layer3", top=3
    )
    for each in run.to_end():
        assert each.answered_by == ("cloud" if outcome == "good" else "edge")
        assert same_answer(each.answer.top, whole(model, frame, top=3))
        assert each.payload_bytes == 4 * 256 * 14 * 14
    assert run.uplink.tops == [3, 3]
    assert run.count("payload_bytes_sum", codec="float32") == 2 * 4 * 256 * 14 * 14


def test_output_sends_nothing():
    frames = list(pictures(5))
    run = Run(FakeSource(frames), FakeUplink(outcomes=["raises"] * 5), split_point="output", codec=None)
    for each, frame in zip(run.to_end(), frames, strict=True):
        assert (each.answered_by, each.fallback) == ("edge", None)
        assert (each.codec, each.payload_bytes) == ("none", 0)
        assert same_answer(each.answer.top, whole(run.model, frame))
        assert not {"encode", "send"} & each.stages_ms.keys()
    assert run.uplink.frames == []
    assert run.count("plan_info", split_point="output", codec="none") == 1


@pytest.mark.parametrize("codec", ["raw", "png", "jpeg", "jpeg:quality=40", "webp"])
def test_input_sends_the_picture(codec):
    frames = list(pictures(3))
    run = Run(FakeSource(frames), split_point="input", codec=codec)
    records = run.to_end()
    assert run.answered_by() == ["cloud"] * 3
    preprocess = Preprocess(run.model.recipe)
    for each, sent, frame in zip(records, run.uplink.frames, frames, strict=True):
        assert sent.shape == (SIDE, SIDE, 3)
        assert each.payload_bytes == len(sent.payload)
        picture = decode_frame(sent)
        if codec in ("raw", "png"):
            assert (picture == preprocess(frame)).all()
            assert same_answer(each.answer.top, whole(run.model, frame))
        else:
            assert bytes(sent.payload[:4]) in (b"RIFF", b"\xff\xd8\xff\xe0")


@pytest.mark.parametrize("codec", ["raw", "png", "jpeg", "jpeg:subsampling=2", "webp"])
@pytest.mark.parametrize("grayscale", [False, True])
def test_the_cameras_own_picture_travels_if_asked_for(codec, grayscale):
    """Of one camera for each outcome: the cloud resizes as the edge would have, and the edge still answers itself."""
    model = tiny_model()
    preprocess = Preprocess(model.recipe, grayscale=grayscale, source_size=True)
    frames = [
        np.random.default_rng(number).integers(0, 256, (21, 34, 3), dtype=np.uint8) for number in range(4)
    ]
    uplink = FakeUplink(model, ["good", "busy", "good", "late"])
    run = Run(FakeSource(frames), uplink, preprocess=preprocess, split_point="input", codec=codec)
    records = run.to_end()
    assert run.answered_by() == ["cloud", "edge", "cloud", "edge"]
    assert [each.frame_id & 0xFFFF for each in run.uplink.frames] == [0, 1, 2, 3]
    for each, sent, frame in zip(records, run.uplink.frames, frames, strict=True):
        assert sent.shape == frame.shape
        assert each.payload_bytes == len(sent.payload)
        prepared = preprocess(frame)
        if codec in ("raw", "png"):
            there = resize_and_crop(decode_frame(sent), model.recipe)
            assert np.abs(there.astype(int) - prepared).max() <= grayscale  # grey is made before or after
        if each.answered_by == "edge" or (codec in ("raw", "png") and not grayscale):
            logits = run.plan.tail(model.recipe.normalise(prepared)[None])
            assert same_answer(each.answer.top, top_classes(logits[0], model.labels, 5))
    assert run.count("payload_bytes_sum", codec=codec.partition(":")[0]) == sum(
        each.payload_bytes for each in records
    )


def test_a_camera_of_the_networks_own_size_sends_what_the_network_sees():
    """The cloud takes a picture of this size as it is. The recipe here enlarges before it crops."""
    model = tiny_model()
    recipe = dataclasses.replace(model.recipe, resize=SIDE + 4)
    preprocess = Preprocess(recipe, source_size=True)
    frame = np.random.default_rng(1).integers(0, 256, (SIDE, SIDE, 3), dtype=np.uint8)
    run = Run(FakeSource([frame]), preprocess=preprocess, split_point="input", codec="raw")
    run.to_end()
    assert (decode_frame(run.uplink.frames[0]) == preprocess(frame)).all()
    assert (preprocess(frame) != frame[:, :, ::-1]).any()


def test_a_camera_above_the_wires_limit_is_answered_by_the_edge(caplog):
    frame = np.zeros((2160, 3840, 3), np.uint8)
    preprocess = Preprocess(tiny_model().recipe, source_size=True)
    run = Run(FakeSource([frame] * 2), preprocess=preprocess, split_point="input", codec="jpeg")
    for each in run.to_end():
        assert (each.answered_by, each.fallback, each.payload_bytes) == ("edge", "encode", 0)
        assert same_answer(each.answer.top, whole(run.model, frame))
    assert run.uplink.frames == []
    assert run.count("fallbacks_total", reason="encode") == 2
    assert "frame 1 cannot travel as jpeg: shape (2160, 3840, 3) has 24883200 elements" in caplog.text


def test_no_more_classes_are_asked_for_than_there_are():
    """The cloud refuses that, and a network of three classes was never answered by it."""
    model = tiny_model(classes=3)
    for outcome in ("good", "busy"):
        run = Run(FakeSource(pictures(2)), FakeUplink(model, [outcome] * 2), model=model, top=5)
        assert [len(each.answer.top) for each in run.to_end()] == [3, 3]
        assert run.uplink.tops == [3, 3]


# --- one frame fails, the others go on -------------------------------------------------------------------------


def test_a_tensor_that_the_codec_refuses_is_finished_here(caplog):
    model = tiny_model(gain=1e6)
    frames = list(pictures(3))
    run = Run(FakeSource(frames), FakeUplink(model), model=model, codec="float16")
    for each, frame in zip(run.to_end(), frames, strict=True):
        assert (each.answered_by, each.fallback, each.payload_bytes) == ("edge", "encode", 0)
        assert same_answer(each.answer.top, whole(model, frame))
    assert run.uplink.frames == []
    assert run.count("fallbacks_total", reason="encode") == 3
    assert "frame 0 cannot travel as float16" in caplog.text


def test_an_answer_that_is_no_number_is_none():
    """It was once written as NaN, which is not JSON."""
    run = Run(FakeSource(pictures(2)), model=tiny_model(gain=1e39))
    assert [(each.answered_by, each.fallback, each.answer.top) for each in run.to_end()] == [
        ("nobody", "encode", ())
    ] * 2
    assert run.count("frames_total", outcome="failed") == 2


class Failing:
    """Calls `function`, but raises at the calls with these numbers."""

    def __init__(self, function, numbers):
        self.function, self.numbers, self.calls = function, numbers, -1

    def __call__(self, argument):
        self.calls += 1
        if self.calls in self.numbers:
            raise RuntimeError("out of memory, say")
        return self.function(argument)

    def __getattr__(self, name):
        return getattr(self.function, name)


def plan_with(head=lambda part: part, tail=lambda part: part):
    plan = plan_of(tiny_model(), "relu", "float32")
    return replace(plan, head=head(plan.head), tail=tail(plan.tail))


@pytest.mark.parametrize("stage", ["preprocess", "head"])
def test_a_head_that_fails_costs_one_frame(stage, caplog):
    broken = {1, 4}
    preprocess = Preprocess(tiny_model().recipe)
    run = Run(
        FakeSource(pictures(6)),
        preprocess=Failing(preprocess, broken) if stage == "preprocess" else preprocess,
        plan=plan_with(head=lambda part: Failing(part, broken)) if stage == "head" else None,
    )
    records = run.to_end()
    assert [each.frame for each in records] == list(range(6))
    assert run.answered_by() == ["cloud", "nobody", "cloud", "cloud", "nobody", "cloud"]
    assert (records[1].answer.top, records[1].fallback) == ((), None)
    assert run.count("frames_total", outcome="failed") == 2
    assert f"the {stage} step failed on frame 4" in caplog.text


def test_a_tail_that_fails_costs_one_frame(caplog):
    run = Run(
        FakeSource(pictures(4)),
        FakeUplink(outcomes=["late"] * 4),
        plan=plan_with(tail=lambda part: Failing(part, {2})),
        in_flight=1,
    )
    assert [each.fallback for each in run.to_end()] == ["late"] * 4
    assert run.answered_by() == ["edge", "edge", "nobody", "edge"]
    assert "the tail failed on frame 2" in caplog.text


def test_an_encoder_with_a_bug_costs_no_answer(monkeypatch):
    frames = list(pictures(3))
    monkeypatch.setattr(wire, "pack", Failing(wire.pack, {1}))
    run = Run(FakeSource(frames))
    records = run.to_end()
    assert run.answered_by() == ["cloud", "edge", "cloud"]
    assert records[1].fallback == "encode"
    assert same_answer(records[1].answer.top, whole(run.model, frames[1]))


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
    assert run.pipeline.dropped == 0, "not even the one that waited for a place"


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
        while len(run.records) + run.pipeline.dropped < 4:
            await asyncio.sleep(0.002)
        assert not task.done(), "the reader is given a moment to end"
        more.set()  # what Reconnecting.stop does
        await task
        return run

    run = asyncio.run(go())
    assert run.records[-1].frame == 3
    assert run.source.given == 5
    assert len(run.records) + run.pipeline.dropped == 5, "one read after the stop is counted as dropped"


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


# --- what is measured, and what travels ------------------------------------------------------------------------


def test_every_stage_is_timed_under_its_name():
    run = Run(FakeSource(pictures(4)), FakeUplink(outcomes=["good", "late", "good", "good"]))
    records = run.to_end()
    common = ["capture", "wait_preprocess", "preprocess", "wait_head", "head", "wait_encode", "encode"]
    common += ["wait_uplink", "send"]
    assert list(records[0].stages_ms) == [*common, "cloud.tail"]
    assert list(records[1].stages_ms) == [*common, "tail"]
    assert records[0].stages_ms["cloud.tail"] == 1.5
    for stage in common:
        # the source's end is a read as well
        assert run.count("stage_duration_seconds_count", stage=stage) == 4 + (stage == "capture")
    assert run.count("stage_duration_seconds_count", stage="tail") == 1
    names = {sample.labels.get("stage") for each in run.metrics.registry.collect() for sample in each.samples}
    assert names - {None} == set(STEPS)


def test_a_frame_that_an_open_circuit_keeps_here_is_not_counted_as_sent():
    run = Run(FakeSource(pictures(3)), FakeUplink(outcomes=["circuit_open"] * 3))
    assert not any("send" in each.stages_ms for each in run.to_end())
    assert run.count("stage_duration_seconds_count", stage="send") == 0


def test_latency_covers_the_steps():
    run = Run(FakeSource(pictures(3)), FakeUplink(outcomes=["slow"] * 3))
    for each in run.to_end():
        own = [ms for name, ms in each.stages_ms.items() if name != "capture" and "cloud" not in name]
        assert each.latency_ms >= sum(own) - 0.01 * len(own)
        assert each.time.endswith("+00:00")
    assert run.count("last_frame_timestamp_seconds") > 1.7e9


def test_frame_ids_differ_within_and_between_sessions():
    ids = []
    for session in (0, 1, 0xFFFFFFFF):
        run = Run(FakeSource(pictures(5)), session=session)
        run.to_end()
        assert {frame.frame_id >> 32 for frame in run.uplink.frames} == {session}
        ids += [frame.frame_id for frame in run.uplink.frames]
    assert len(set(ids)) == 15


@pytest.mark.parametrize(("deadline_s", "milliseconds"), [(2.0, 2000), (0.0001, 1), (600, 600_000)])
def test_the_deadline_travels(deadline_s, milliseconds):
    """Rounded to nothing it would mean for ever."""
    run = Run(FakeSource(pictures(1)), deadline_s=deadline_s)
    run.to_end()
    (frame,) = run.uplink.frames
    assert frame.deadline_ms == milliseconds
    assert frame.fingerprint == run.model.fingerprint
    assert frame.split_point == "relu"
    assert frame.capture_time_ns > 1.7e18
