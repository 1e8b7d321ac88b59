"""Frames of which several tensors cross: to the cloud and back, finished here, still, and what is wrong with one tensor of them."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from kits.edge import pictures, same_answer
from kits.pyramid import SHAPES, PyramidUplink, plan_of, profile_of, run_of, whole
from kits.still import consistent

FRAMES = list(pictures(5))


@pytest.mark.parametrize("point", ["neck", "pyramid"])
@pytest.mark.parametrize("codec", ["float32", "int8", "float16+zstd", "calibrated"])
def test_all_tensors_travel_and_come_back(point, codec):
    run = run_of(FRAMES, point=point, codec=codec)
    records = run.to_end()
    assert run.answered_by() == ["cloud"] * 5
    for record, frame, picture in zip(records, run.uplink.frames, FRAMES, strict=True):
        assert [each.shape for each in frame.tensors] == list(SHAPES[point])
        assert record.payload_bytes == sum(len(each.payload) for each in frame.tensors) > 0
        assert (record.split_point, record.codec) == (point, codec)
        if codec == "float32":
            assert same_answer(record.answer.top, whole(picture))
    name = codec.partition("+")[0] if codec == "calibrated" else codec
    assert run.count("payload_bytes_count", codec=name) == 5
    assert run.count("payload_bytes_sum", codec=name) == sum(each.payload_bytes for each in records)


def test_the_profile_is_named_once_in_a_frame():
    run = run_of(FRAMES, codec="calibrated")
    run.to_end()
    assert [each.params for each in run.uplink.frames[0].tensors] == [profile_of("pyramid").digest, b"", b""]


@pytest.mark.parametrize("codec", ["int8", "calibrated"])
def test_the_edge_finishes_a_frame_that_the_cloud_did_not(codec):
    run = run_of(FRAMES, PyramidUplink(["late", "good", "busy", "unreachable", "late"]), codec=codec)
    records = run.to_end()
    assert [each.fallback for each in records] == ["late", None, "busy", "unreachable", "late"]
    for record, picture in zip(records, FRAMES, strict=True):
        if record.answered_by == "edge":
            assert same_answer(record.answer.top, whole(picture)), "of what did not travel nothing was lost"


# --- a head that does not do as its split point says -------------------------------------------------------------------


def spoilt(spoil, number=1, **changes):
    """A plan whose head's result goes through `spoil` on the frame of this number."""
    plan, calls = plan_of("pyramid", "int8"), []

    def head(tensors):
        calls.append(0)
        found = plan.head(tensors)
        return spoil(found) if len(calls) == number + 1 else found

    return replace(plan, head=head, **changes)


@pytest.mark.parametrize(
    ("spoil", "found"),
    [
        (lambda found: found[:2], "[(1, 4, 3, 3), (1, 4, 1, 1)]"),
        (lambda found: (*found, found[0]), "[(1, 4, 3, 3), (1, 4, 1, 1), (1, 2, 3, 3), (1, 4, 3, 3)]"),
        (lambda found: found[::-1], "[(1, 2, 3, 3), (1, 4, 1, 1), (1, 4, 3, 3)]"),
        (lambda found: (np.repeat(found[0], 2, 0), *found[1:]), "[(2, 4, 3, 3), (1, 4, 1, 1), (1, 2, 3, 3)]"),
        (lambda _: (), "[]"),
    ],
    ids=["fewer", "more", "in another order", "of two frames", "none"],
)
def test_other_tensors_than_the_split_points_are_no_crossing(spoil, found, caplog):
    run = run_of(FRAMES, plan=spoilt(spoil))
    records = run.to_end()
    assert run.answered_by() == ["cloud", "nobody", "cloud", "cloud", "cloud"]
    assert (records[1].answer.top, records[1].payload_bytes, records[1].fallback) == ((), 0, None)
    assert run.count("frames_total", outcome="failed") == 1
    (line,) = [record.getMessage() for record in caplog.records]
    assert line == (
        f"the head step failed on frame 1 of camera: it gave tensors of {found}, and at pyramid there are "
        "[(4, 3, 3), (4, 1, 1), (2, 3, 3)] for each frame"
    )


def not_finite(found):
    spoilt_one = found[1].copy()
    spoilt_one[0, 2] = np.nan
    return found[0], spoilt_one, found[2]


def test_one_tensor_that_is_not_finite_is_named(caplog):
    run = run_of(FRAMES, plan=spoilt(not_finite))
    records = run.to_end()
    assert run.answered_by() == ["cloud", "nobody", "cloud", "cloud", "cloud"], (
        "its answer is not finite either"
    )
    assert (records[1].fallback, records[1].payload_bytes) == ("encode", 0)
    assert "frame 1 of camera cannot travel as int8: tensor 1 of 3: the tensor holds NaN" in caplog.text
    assert run.count("fallbacks_total", reason="encode") == 1


def test_an_answer_that_does_not_need_it_is_given():
    """Such as of a detector whose finest level is spoilt in a corner that shows nothing."""
    tail = plan_of("pyramid").tail
    plan = spoilt(not_finite, tail=lambda found: tail(tuple(np.nan_to_num(each) for each in found)))
    run = run_of(FRAMES, plan=plan)
    records = run.to_end()
    assert run.answered_by() == ["cloud", "edge", "cloud", "cloud", "cloud"]
    assert records[1].fallback == "encode"


# --- still scenes -----------------------------------------------------------------------------------------------------


@pytest.mark.parametrize("codec", ["int8", "calibrated"])
def test_a_still_scene_repeats_the_answer(codec):
    scenes = [FRAMES[0]] * 3 + [FRAMES[1]] * 2
    run = run_of(scenes, codec=codec, still_threshold=0.1)
    run.to_end()
    assert consistent(run) == ["cloud", "still", "still", "cloud", "still"]
    assert [each.changed == 0 for each in run.records] == [False, True, True, False, True]


@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_change_in_any_tensor_is_seen(number):
    def spoil(found):
        return tuple(each * np.float32(1 + 2 * (place == number)) for place, each in enumerate(found))

    run = run_of([FRAMES[0]] * 3, plan=spoilt(spoil), still_threshold=0.01)
    run.to_end()
    assert run.answered_by() == ["cloud", "cloud", "cloud"]
    assert [each.changed and 0.01 < each.changed < 1 for each in run.records] == [None, True, True]
