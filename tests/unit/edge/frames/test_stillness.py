"""A still scene: nothing is sent, and every frame is answered all the same."""

from __future__ import annotations

import asyncio
import functools
import threading
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kits.edge import (
    FakeSource,
    FakeUplink,
    Run,
    pictures,
    plan_of,
    same_answer,
    tiny_model,
    whole,
)

from edge.calibration.fit import Preset, fit_profile
from edge.config import EdgeSettings
from edge.frames.job import Job
from edge.frames.preprocess import Preprocess
from edge.frames.stillness import LONGEST_S, Stillness
from edge.metrics import FALLBACKS, OUTCOMES, EdgeMetrics
from edge.uplink.reply import Reply
from shared.codecs import decode_frame, make_codec
from shared.codecs.calibrated.codec import Calibrated
from shared.observing.telemetry import Stopwatch
from shared.tasks.classify import top_classes
from shared.wire import frame as wire

SCENES = list(pictures(4))
A, B = SCENES[:2]


@functools.cache
def profile():
    model = tiny_model()
    plan, preprocess = plan_of(model, "relu", "float32"), Preprocess(model.recipe)
    tensors = [
        plan.head(model.recipe.normalise(preprocess(frame))[None])[0] for frame in pictures(20, seed=1)
    ]
    recipe = Preset(step=1.0, groups=2, context_rank=4, corrector_rank=2)
    return fit_profile(tensors, recipe, fingerprint=model.fingerprint, split_point="relu")


def calibrated_plan():
    plan = plan_of(tiny_model(), "relu", "float32")
    return replace(plan, codec=Calibrated(profile()), label="calibrated")


class CalibratedUplink(FakeUplink):
    """Decodes each frame by itself, with a codec that has seen no other."""

    def _tail(self, frame, top):
        array = Calibrated(profile()).decode(frame.params, frame.payload, frame.shape)
        logits = plan_of(self.model, frame.split_point, "float32").tail(array[None])
        return top_classes(logits[0], self.model.labels, top)


class GatedUplink(FakeUplink):
    """Frame 0 waits for `gate`; then it is answered, or fails, as the others."""

    gate: asyncio.Event

    async def ask(self, data, top, profile=None):
        if wire.unpack(data).frame_id & 0xFFFFFFFF == 0:
            await self.gate.wait()
        return await super().ask(data, top, profile)


def still(frames, uplink=None, *, live=False, codec="int8", still_threshold=0.1, **changes):
    source = frames if isinstance(frames, FakeSource) else FakeSource(frames, live=live)
    return Run(source, uplink, codec=codec, still_threshold=still_threshold, **changes)


def consistent(run):
    """What holds of every run: in order, each repeating an answer that there was, and counted."""
    records = {each.frame: each for each in run.records}
    assert list(records) == sorted(records)
    for each in run.records:
        if each.answered_by == "still":
            assert records[each.repeats].answered_by == "cloud"
            assert each.repeats < each.frame
            assert each.repeats == max(n for n in records if n < each.frame and records[n].payload_bytes), (
                "what was sent last"
            )
            assert each.answer.top == records[each.repeats].answer.top
            assert (each.payload_bytes, each.fallback) == (0, None)
            assert not {"encode", "send", "tail"} & each.stages_ms.keys()
        else:
            assert each.repeats is None
    for outcome in set(OUTCOMES) - {"dropped", "failed"}:
        assert run.count("frames_total", outcome=outcome) == run.answered_by().count(outcome)
    for reason in FALLBACKS:
        assert run.count("fallbacks_total", reason=reason) == sum(
            each.fallback == reason for each in run.records
        )
    return run.answered_by()


# --- what is sent ------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("live", [False, True])
@pytest.mark.parametrize("in_flight", [1, 4])
@pytest.mark.parametrize("codec", ["int8", "int8+zstd"])
def test_of_a_still_scene_one_frame_is_sent(codec, in_flight, live):
    run = still([A] * 12, codec=codec, in_flight=in_flight, live=live, queue_size=12)
    run.to_end()
    assert consistent(run) == ["cloud", *["still"] * 11]
    assert len(run.uplink.frames) == 1
    assert run.count("payload_bytes_count", codec=codec) == 1
    assert run.count("frame_latency_seconds_count") == 1, (
        "a repeated answer says nothing of how fast anything is"
    )


def test_by_default_every_frame_is_sent():
    run = Run(FakeSource([A] * 5), codec="int8")
    records = run.to_end()
    assert consistent(run) == ["cloud"] * 5
    assert not any("compare" in each.stages_ms for each in records)


def test_a_changed_scene_is_sent_and_every_frame_can_be_decoded_by_itself():
    run = still([A, A, B, B, A, A], in_flight=1)
    records = run.to_end()
    assert consistent(run) == ["cloud", "still"] * 3
    assert [each.repeats for each in records] == [None, 0, None, 2, None, 4]
    assert records[0].changed is None, "there was nothing to compare it with"
    assert [each.changed == 0 for each in records[1:]] == [True, False] * 2 + [True]
    assert min(each.changed for each in records[2::2]) > 0.1
    assert [frame.frame_id & 0xFFFF for frame in run.uplink.frames] == [0, 2, 4]
    for frame, scene in zip(run.uplink.frames, [A, B, A], strict=True):
        (alone,) = Run(FakeSource([scene]), codec="int8").to_end()
        assert frame.payload == make_codec("int8").encode(decode_frame(frame)).payload
        assert alone.answer.top == records[frame.frame_id & 0xFFFF].answer.top


@pytest.mark.parametrize("codec", ["int8", "calibrated"])
def test_the_noise_of_a_sensor_is_no_change(codec):
    rng = np.random.default_rng(0)
    noisy = [
        np.clip(A.astype(int) + rng.integers(-2, 3, A.shape), 0, 255).astype(np.uint8) for _ in range(20)
    ]
    changes = {"uplink": CalibratedUplink(), "plan": calibrated_plan()} if codec == "calibrated" else {}
    run = still(noisy, **changes)
    run.to_end()
    assert consistent(run) == ["cloud", *["still"] * 19]


@pytest.mark.parametrize("codec", ["int8", "calibrated"])
def test_a_slow_drift_is_noticed(codec):
    """From one frame to the next nearly nothing changes, but all are compared with the one that was sent."""
    drift = [np.round(A + (B.astype(float) - A) * step / 60).astype(np.uint8) for step in range(61)]
    changes = {"uplink": CalibratedUplink(), "plan": calibrated_plan()} if codec == "calibrated" else {}
    run = still(drift, **changes)
    run.to_end()
    answered_by = consistent(run)
    assert answered_by[1] == "still"
    assert 3 <= answered_by.count("cloud") < 40


def test_a_calibrated_codec_stays_with_its_scene():
    run = still([A, A, B, B, B, A], CalibratedUplink(), plan=calibrated_plan(), in_flight=1)
    run.to_end()
    assert consistent(run) == ["cloud", "still", "cloud", "still", "still", "cloud"]


def test_a_higher_threshold_sends_less():
    frames = [np.round(A + (B.astype(float) - A) * step / 30).astype(np.uint8) for step in range(31)]
    sent = []
    for threshold in (1e-6, 0.05, 0.2, 0.6):
        run = still(frames, still_threshold=threshold)
        run.to_end()
        consistent(run)
        sent.append(len(run.uplink.frames))
    assert sent == sorted(sent, reverse=True)
    assert sent[0] > sent[1] > sent[3]


# --- the frame that is repeated ----------------------------------------------------------------------------------


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
    assert 50 <= run.records[1].stages_ms["wait_answer"] < 2000
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
    assert len(run.records) + run.pipeline.dropped == 30
    assert run.pipeline.dropped > 0
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


# --- the rule by itself ------------------------------------------------------------------------------------------


METRICS = EdgeMetrics()


def job(number, array, captured=0.0):
    return Job(
        number, number, captured, 0, Stopwatch(METRICS.steps, METRICS.step_cpu), None, crossing=array[None]
    )


def tensor(seed=0):
    return np.maximum(np.random.default_rng(seed).normal(0, 1, (4, 3, 3)), 0).astype(np.float32)


def send(stillness, number=0, array=None, captured=0.0, reply="good"):
    one = job(number, tensor() if array is None else array, captured)
    stillness.sending(one)
    if reply:
        one.sent.settle(Reply([{"class_id": 1, "label": "hen", "probability": 1.0}], {}), None)
    return one


def test_nothing_is_repeated_before_anything_was_sent():
    assert not Stillness(make_codec("int8"), 1.0).holds(job(0, tensor()))


def test_the_setting_names_the_longest_time():
    assert f"for {LONGEST_S:g} s at most" in EdgeSettings.model_fields["still_threshold"].description


def test_an_answer_grows_too_old():
    stillness = Stillness(make_codec("int8"), 0.1)
    send(stillness, captured=100.0)
    assert stillness.holds(job(1, tensor(), 100 + LONGEST_S))
    assert not stillness.holds(job(2, tensor(), 100.01 + LONGEST_S))
    send(stillness, 2, captured=100.01 + LONGEST_S)
    last = job(3, tensor(), 101 + LONGEST_S)
    assert stillness.holds(last)
    assert last.repeats.number == 2


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("codec", ["int8", "calibrated"])
def test_what_is_no_number_is_like_nothing(codec, value):
    stillness = Stillness(Calibrated(profile()) if codec == "calibrated" else make_codec(codec), 1.0)
    send(stillness)
    broken = tensor()
    broken[0, 0, 0] = value
    assert not stillness.holds(job(1, broken))
    assert stillness.holds(job(2, tensor()))


def test_a_frame_that_was_lost_is_compared_with_no_more():
    stillness = Stillness(make_codec("int8"), 0.1)
    lost = send(stillness, reply=None)
    assert stillness.holds(job(1, tensor())), "as long as its answer may come"
    lost.sent.settle(None, "late")
    assert not stillness.holds(job(2, tensor()))
