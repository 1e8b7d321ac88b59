"""Runs over a still scene: nothing is sent, and every frame is answered all the same."""

from __future__ import annotations

import numpy as np
import pytest
from kits.edge import FakeSource, Run
from kits.still import A, B, CalibratedUplink, calibrated_plan, consistent, still

from shared.codecs import decode_frame, make_codec


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
        (tensor,), (array,) = frame.tensors, decode_frame(frame)
        assert tensor.payload == make_codec("int8").encode(array).payload
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
