"""A share of the cloud's answers is computed again at the edge: one that is wrong is seen, and no frame waits for it."""

from __future__ import annotations

import asyncio
import logging
import random
import threading
from collections import Counter
from dataclasses import replace
from types import SimpleNamespace

import numpy as np
import pytest
from kits.edge import FakeSource, FakeUplink, Run, pictures
from kits.still import CalibratedUplink, calibrated_plan
from kits.tiny import plan_of, tiny_model

from edge.frames import verifying
from edge.frames.preprocess import Preprocess
from edge.frames.verifying import Verifier
from edge.metrics import EdgeMetrics


def run_of(frames, uplink=None, draw=lambda: 0.0, share=0.5, clock=lambda: 0.0, **options):
    return Run(
        FakeSource(frames),
        uplink,
        verifier=lambda metrics: Verifier(share, metrics, draw=draw, clock=clock),
        **options,
    )


def counts(run):
    return {
        result: run.count("verified_total", result=result)
        for result in ("same", "other", "left_out", "failed")
    }


class Liar(FakeUplink):
    """Says that the least probable class is the most probable one."""

    def _tail(self, frame):
        return tuple(-each for each in super()._tail(frame))


@pytest.mark.parametrize("point", ["input", "conv", "pool", "flatten"])
@pytest.mark.parametrize("codec", ["float32", "int8+zstd", "jpeg", "raw"])
def test_what_the_cloud_was_sent_is_what_is_computed_again(point, codec):
    """As it decodes it: a codec's loss is no lie."""
    if (codec in ("jpeg", "raw")) != (point == "input"):
        return
    run = run_of(list(pictures(1)), split_point=point, codec=codec)
    assert [each.answered_by for each in run.to_end()] == ["cloud"]
    assert counts(run) == {"same": 1, "other": 0, "left_out": 0, "failed": 0}
    assert run.count("verified_agreement_total") == 1.0


def test_a_picture_of_the_cameras_own_size_is_fitted_as_the_cloud_does():
    preprocess = Preprocess(tiny_model().recipe, source_size=True)
    run = run_of(list(pictures(1)), split_point="input", codec="png", preprocess=preprocess)
    run.to_end()
    assert run.uplink.frames[0].tensors[0].shape != tiny_model().recipe.picture_shape
    assert counts(run)["same"] == 1


def test_a_frame_that_needs_its_profile_is_decoded_with_it():
    run = run_of(list(pictures(1)), CalibratedUplink(), plan=calibrated_plan())
    run.to_end()
    assert counts(run)["same"] == 1


def test_a_lying_cloud_is_found(caplog):
    run = run_of(list(pictures(1)), Liar())
    with caplog.at_level(logging.WARNING):
        (record,) = run.to_end()
    assert record.answered_by == "cloud", "the frame went on with the answer that came in time"
    assert counts(run) == {"same": 0, "other": 1, "left_out": 0, "failed": 0}
    assert run.count("verified_agreement_total") == 0.0
    (line,) = [
        each.getMessage() for each in caplog.records if "another than this edge's" in each.getMessage()
    ]
    assert "(agreement 0.00): 'class " in line


def test_only_the_share_is_computed_again():
    drawn = iter([0.5, 0.25, 0.999, 0.1])
    run = run_of(list(pictures(4)), draw=lambda: next(drawn), share=0.25, in_flight=1)
    run.to_end()
    assert sum(counts(run).values()) == 1


def test_what_the_edge_answers_itself_is_not():
    run = run_of(list(pictures(3)), FakeUplink(outcomes=["late", "busy", "unreachable"]))
    run.to_end()
    assert sum(counts(run).values()) == 0


def test_frames_do_not_wait_for_it():
    """One is computed again while others are answered; of those that are drawn meanwhile one waits, the others are left out, and counted."""
    gate, model = threading.Event(), tiny_model()
    plan = plan_of(model, "relu", "float32")

    def tail(tensors):
        assert gate.wait(60)
        return plan.tail(tensors)

    done = []

    def sink(record):
        done.append(record)
        if len(done) == 4:
            gate.set()

    run = run_of(list(pictures(4)), plan=replace(plan, tail=tail), sinks=[sink])
    assert run.answered_by() == []
    run.to_end()
    assert run.answered_by() == ["cloud"] * 4
    assert counts(run) == {"same": 2, "other": 0, "left_out": 2, "failed": 0}


def test_a_failure_costs_no_frame(caplog):
    plan = plan_of(tiny_model(), "relu", "float32")

    def tail(_tensors):
        raise RuntimeError("the engine is gone")

    run = run_of(list(pictures(1)), plan=replace(plan, tail=tail))
    with caplog.at_level(logging.ERROR):
        assert [each.answered_by for each in run.to_end()] == ["cloud"]
    assert counts(run)["failed"] == 1
    assert any("verifying the cloud's answer" in each.getMessage() for each in caplog.records)


def test_a_cloud_that_always_lies_is_told_of_once_a_minute(caplog):
    now = [100.0]
    with caplog.at_level(logging.WARNING, "edge.frames.verifying"):
        verifier = Verifier(1.0, EdgeMetrics(), clock=lambda: now[0])
        answer = FakeUplink().task.answer((np.arange(7, dtype=np.float32),))
        for step in (0.0, 1.0, verifying._TELL_S):
            now[0] += step
            verifier._tell(SimpleNamespace(origin="frame 7"), answer, answer, 0.0)
    lines = [each.getMessage() for each in caplog.records]
    assert len(lines) == 2
    assert lines[1].endswith("; 1 more since this was last said")


class FirstGood(Liar):
    """Tells the truth once; its lies come in while that is being computed again."""

    asked = 0

    def _tail(self, frame):
        self.asked += 1
        return FakeUplink._tail(self, frame) if self.asked == 1 else super()._tail(frame)


def test_a_true_answer_does_not_shield_the_lies_that_follow_it():
    gate, model = threading.Event(), tiny_model()
    plan = plan_of(model, "relu", "float32")
    done = []

    def tail(tensors):
        assert gate.wait(60)
        return plan.tail(tensors)

    def sink(record):
        done.append(record)
        if len(done) == 6:
            gate.set()

    run = run_of(
        list(pictures(6)),
        FirstGood(),
        draw=lambda: 0.5,
        share=1.0,
        plan=replace(plan, tail=tail),
        sinks=[sink],
        in_flight=1,
    )
    run.to_end()
    assert counts(run) == {"same": 1, "other": 1, "left_out": 4, "failed": 0}


def test_whoever_is_drawn_while_another_is_computed_waits_as_likely_as_the_others():
    """A cloud that knows when one is computed can put its lies nowhere."""

    async def go():
        waited, metrics = [], EdgeMetrics()
        for seed in range(2000):
            verifier = Verifier(1.0, metrics, draw=random.Random(seed).random)
            verifier._under_way = asyncio.get_running_loop().create_future()
            for number in range(4):
                verifier.consider(number, None)
            waited.append(verifier._next[0])
            verifier._thread.shutdown()
        return waited

    found = Counter(asyncio.run(go()))
    assert set(found) == set(range(4))
    assert all(400 < count < 600 for count in found.values()), found
