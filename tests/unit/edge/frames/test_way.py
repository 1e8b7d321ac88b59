"""What is measured on a frame's way, and what travels with the frame."""

from __future__ import annotations

import asyncio
import weakref

import numpy as np
import pytest
from kits.edge import FakeSource, FakeUplink, Run, pictures
from kits.tiny import SIDE

from edge.frames.origin import Origin
from edge.frames.way import Captured, Crossed, Encoded, Outcome, Prepared
from edge.metrics import STEPS
from shared.wire import frame as wire


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


@pytest.mark.parametrize("form", [Origin, Captured, Prepared, Crossed, Encoded, Outcome])
def test_the_forms_of_a_frame_are_frozen(form):
    assert form.__dataclass_params__.frozen
    assert "__dict__" not in dir(form), "slots only"


def test_the_cameras_picture_is_gone_before_the_frame_is_answered():
    """A frame that waits for its answer keeps what the edge needs to answer it, and no megabytes of a camera."""
    pictures_of, gone = [], []

    def camera():
        for number in range(6):
            yield watched(np.full((SIDE, SIDE, 3), number, np.uint8))

    def watched(picture):
        pictures_of.append(weakref.ref(picture))
        return picture

    class Watching(FakeUplink):
        async def ask(self, data, profile=None):
            picture = pictures_of[wire.unpack(data).frame_id & 0xFFFF]
            while picture() is not None:  # until the camera's thread has read the next one
                await asyncio.sleep(0.001)
            gone.append(True)
            return await super().ask(data, profile)

    run = Run(FakeSource(camera()), Watching(), in_flight=1)
    run.to_end()
    assert gone == [True] * 6
    assert run.answered_by() == ["cloud"] * 6
