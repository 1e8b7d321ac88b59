"""Places in answers: in pixels of the network's input from the cloud, in those of the source's own picture in records."""

from __future__ import annotations

import threading
from dataclasses import replace

import numpy as np
import pytest
from kits.detector import ENGINE, MODEL, PARTITION, DetectorUplink, model_of, plan_of, run_of, unsplit
from kits.edge import FakeSource, FakeUplink, pictures, value

from edge.frames.preprocess import Preprocess
from edge.frames.way import Edition
from edge.planning.pinned import PinnedPilot
from edge.planning.plan_metrics import PlanMetrics
from shared.tasks.detection.boxes import Boxes
from shared.tasks.registry import make_task
from shared.tasks.spec import Wanted

FRAMES = list(pictures(4))
WIDE = [np.random.default_rng(number).integers(0, 256, (9, 21, 3), dtype=np.uint8) for number in range(3)]


def placed(frame, model=MODEL, **options):
    """The unsplit network's boxes in the picture's pixels."""
    return unsplit(frame, model, **options).in_picture(model.recipe, frame.shape[:2])


def close(found, expected, atol=0.011):
    """The same boxes, but for the last digit."""
    assert found.size == expected.size
    assert [each.label for each in found.boxes] == [each.label for each in expected.boxes]
    np.testing.assert_allclose(
        [each.corners for each in found.boxes], [each.corners for each in expected.boxes], atol=atol
    )
    return len(found.boxes) > 0


@pytest.mark.parametrize("outcome", ["good", "late"])
@pytest.mark.parametrize("codec", ["float32", "float16"])
def test_whoever_answers_boxes_are_in_the_sources_picture(outcome, codec):
    frames = FRAMES + WIDE
    run = run_of(frames, DetectorUplink([outcome] * 7), plan=plan_of(codec=codec))
    for record, frame in zip(run.to_end(), frames, strict=True):
        assert record.answered_by == ("cloud" if outcome == "good" else "edge")
        expected = placed(frame)
        if codec == "float32" or outcome == "late":
            assert close(record.answer, expected)
        assert record.answer.size == (frame.shape[1], frame.shape[0])
        assert record.fields()["size"] == [frame.shape[1], frame.shape[0]]
        assert record.answer.headline() == "1 bottle, 1 person"


def test_the_clouds_are_in_the_networks_input():
    run = run_of(WIDE, in_flight=1)
    run.to_end()
    for reply, frame in zip(run.uplink.replies, WIDE, strict=True):
        assert close(reply.answer, unsplit(frame))
        assert reply.answer.size == (8, 8)


def test_a_frame_that_repeats_an_answer_has_its_places_in_its_own_picture():
    """A camera that changes its resolution while the scene stands still."""
    large = np.repeat(np.repeat(FRAMES[0], 3, 0), 3, 1)
    run = run_of([FRAMES[0], large, FRAMES[0]], plan=plan_of(codec="int8"), still_threshold=0.5)
    first, second, third = run.to_end()
    assert run.answered_by() == ["cloud", "still", "still"]
    assert third.answer == first.answer
    assert second.answer.size == (3 * first.answer.size[0], 3 * first.answer.size[1])
    for box, larger in zip(first.answer.boxes, second.answer.boxes, strict=True):
        assert larger.corners == pytest.approx([3 * each for each in box.corners], abs=0.03)


def test_a_frame_without_an_answer_has_the_empty_one_of_its_task():
    def broken(_):
        raise RuntimeError("out of memory, say")

    run = run_of(FRAMES, plan=replace(plan_of(), head=broken))
    for record in run.to_end():
        assert (record.answered_by, record.answer) == ("nobody", Boxes())
        assert record.fields()["boxes"] == []


def test_the_threshold_is_that_of_the_settings():
    for threshold, headline in ((None, "1 bottle, 1 person"), (0.3, "2 bottle, 1 person"), (0.95, "nothing")):
        run = run_of(FRAMES, DetectorUplink(["busy"] * 4), threshold=threshold)
        assert {each.answer.headline() for each in run.to_end()} == {headline}, threshold


@pytest.mark.parametrize("grayscale", [False, True])
@pytest.mark.parametrize("source_size", [False, True])
def test_pictures_that_travel_change_nothing_of_it(grayscale, source_size):
    preprocess = Preprocess(MODEL.recipe, grayscale=grayscale, source_size=source_size)
    run = run_of(WIDE, plan=plan_of("input", "png"), preprocess=preprocess)
    run.to_end()
    assert run.answered_by() == ["cloud"] * 3
    sent = {each.tensors[0].shape for each in run.uplink.frames}
    assert sent == {(9, 21, 3) if source_size else (8, 8, 3)}
    for record, frame in zip(run.records, WIDE, strict=True):
        assert close(record.answer, placed(frame, grayscale=grayscale), atol=0.1), (
            "grey before or after resizing"
        )


@pytest.mark.parametrize("outcome", ["good", "late"])
def test_another_network_places_with_its_own_recipe(outcome):
    other = model_of(b"stretch.", fit="stretch")
    answered = threading.Event()
    source = FakeSource([*WIDE[:1], answered, *WIDE[1:]])
    run = run_of(source, DetectorUplink([outcome] * 3), sinks=[lambda _: answered.set()])

    def change(_):
        pilot = PinnedPilot(plan_of(), PlanMetrics(run.metrics))
        edition = Edition(
            other,
            make_task(other, Wanted()),
            Preprocess(other.recipe),
            pilot,
            DetectorUplink([outcome] * 3, other),
        )
        run.editions.current = {run.camera.name: edition}

    run.camera.results._sinks.insert(0, change)
    records = run.to_end()
    assert [each.network for each in records] == [MODEL.fingerprint.hex(), *[other.fingerprint.hex()] * 2]
    for record, frame, model in zip(records, WIDE, (MODEL, other, other), strict=True):
        assert close(record.answer, placed(frame, model))
    assert placed(WIDE[1], other) != placed(WIDE[1])


class Displaced:
    """An answer of another package's task."""

    def in_picture(self, recipe, size):
        raise RuntimeError("a bug in it")


class DisplacedUplink(FakeUplink):
    async def ask(self, data, profile=None):
        reply = await super().ask(data, profile)
        return replace(reply, answer=Displaced()) if len(self.frames) == 2 else reply

    def _tail(self, frame):
        return ENGINE.head(PARTITION.point("output"))((np.zeros((1, 3, 8, 8), np.float32),))


def test_an_answer_that_cannot_be_placed_costs_one_frame(caplog):
    run = run_of(FRAMES, DisplacedUplink(MODEL), in_flight=1)
    records = run.to_end()
    assert run.answered_by() == ["cloud", "nobody", "cloud", "cloud"]
    assert records[1].answer == Boxes()
    assert "finding the answer's places in the picture failed on frame 1" in caplog.text
    assert value(run.metrics, "frames_total", outcome="failed") == 1
