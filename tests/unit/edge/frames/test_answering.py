"""Who answers a frame: the cloud, the edge as the whole network would, or nobody if the network fails on it."""

from __future__ import annotations

import logging
from dataclasses import replace

import numpy as np
import pytest
from kits.edge import FakeSource, FakeUplink, Run, pictures, same_answer
from kits.tiny import plan_of, residual, tiny_model, whole

from edge.frames.preprocess import Preprocess
from shared.errors import EngineError
from shared.wire import frame as wire


@pytest.mark.parametrize("point", ["input", "conv", "pool", "flatten"])
def test_the_edge_answers_as_the_whole_network_would(point):
    codec = "raw" if point == "input" else "int8"
    frames = list(pictures(6))
    run = Run(FakeSource(frames), FakeUplink(outcomes=["unreachable"] * 6), split_point=point, codec=codec)
    for each, frame in zip(run.to_end(), frames, strict=True):
        assert each.answered_by == "edge"
        assert same_answer(each.answer.top, whole(run.model, frame)), (
            "of what did not travel nothing was lost"
        )
        assert each.split_point == point
        assert each.codec == codec


@pytest.mark.parametrize("outcome", ["good", "late"])
def test_a_real_network_answers_alike_on_both_sides(outcome):
    model = residual()
    frame = np.random.default_rng(1).integers(0, 256, (240, 320, 3), dtype=np.uint8)
    run = Run(
        FakeSource([frame] * 2),
        FakeUplink(model, [outcome] * 2, top=3),
        model=model,
        split_point="layer3",
        top=3,
    )
    for each in run.to_end():
        assert each.answered_by == ("cloud" if outcome == "good" else "edge")
        assert same_answer(each.answer.top, whole(model, frame, top=3))
        assert each.payload_bytes == 4 * 256 * 14 * 14
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


def test_a_network_of_three_classes_names_three():
    model = tiny_model(classes=3)
    for outcome in ("good", "busy"):
        run = Run(FakeSource(pictures(2)), FakeUplink(model, [outcome] * 2), model=model, top=5)
        assert [len(each.answer.top) for each in run.to_end()] == [3, 3]


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
    assert "frame 0 of camera cannot travel as float16" in caplog.text


def test_an_answer_that_is_no_number_is_none(caplog):
    """It was once written as NaN, which is not JSON."""
    caplog.set_level(logging.WARNING, "edge.frames.answering")
    run = Run(FakeSource(pictures(2)), model=tiny_model(gain=1e39))
    assert [(each.answered_by, each.fallback, each.answer.top) for each in run.to_end()] == [
        ("nobody", "encode", ())
    ] * 2
    assert run.count("frames_total", outcome="failed") == 2
    said = [each for each in caplog.records if each.name == "edge.frames.answering"]
    assert [each.getMessage() for each in said] == [
        f"frame {number} of camera has no answer: the network's answer is not finite" for number in (0, 1)
    ]
    assert not any(each.exc_info for each in said), "one line each"


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


def test_a_tail_that_cannot_be_compiled_is_one_line_a_frame(caplog):
    def tail(_crossing):
        raise EngineError("the tail at layer3 does not compile")

    run = Run(
        FakeSource(pictures(2)),
        FakeUplink(outcomes=["late"] * 2),
        plan=plan_with(tail=lambda _: tail),
        in_flight=1,
    )
    assert [each.answered_by for each in run.to_end()] == ["nobody", "nobody"]
    said = [record for record in caplog.records if "does not compile" in record.getMessage()]
    assert [(record.levelname, record.exc_info) for record in said] == [("WARNING", None)] * 2


def test_an_encoder_with_a_bug_costs_no_answer(monkeypatch):
    frames = list(pictures(3))
    monkeypatch.setattr(wire, "pack", Failing(wire.pack, {1}))
    run = Run(FakeSource(frames))
    records = run.to_end()
    assert run.answered_by() == ["cloud", "edge", "cloud"]
    assert records[1].fallback == "encode"
    assert same_answer(records[1].answer.top, whole(run.model, frames[1]))
