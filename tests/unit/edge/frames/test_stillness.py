"""The rule by itself: which frame repeats the answer to which."""

from __future__ import annotations

import numpy as np
import pytest
from kits.still import profile
from kits.tiny import SIDE

from edge.config import EdgeSettings
from edge.frames.origin import Origin
from edge.frames.stillness import LONGEST_S, Stillness
from edge.metrics import EdgeMetrics
from shared.codecs import make_codec
from shared.codecs.calibrated.codec import Calibrated
from shared.observing.telemetry import Stopwatch
from shared.tasks.classify import Classes

METRICS = EdgeMetrics()
ANSWER = Classes(({"class_id": 1, "label": "hen", "probability": 1.0},))


def origin(number=0, captured_s=0.0):
    watch = Stopwatch(METRICS.steps, METRICS.step_cpu)
    return Origin(
        number=number,
        taken=number,
        frame_id=number,
        captured_s=captured_s,
        captured_ns=0,
        size=(SIDE, SIDE),
        part=None,
        camera="camera",
        source="fake",
        file=None,
        media_time_s=None,
        damaged=False,
        watch=watch,
    )


def tensor(seed=0):
    return np.maximum(np.random.default_rng(seed).normal(0, 1, (4, 3, 3)), 0).astype(np.float32)


def send(stillness, number=0, captured_s=0.0, answer=ANSWER):
    pending = stillness.sending([tensor()], origin(number, captured_s))
    if answer:
        pending.settle(answer, None)
    return pending


def repeated(stillness, captured_s=0.0):
    """The answer that such a frame repeats, if any."""
    return stillness.compare([tensor()], origin(1, captured_s)).repeats


def test_nothing_is_repeated_before_anything_was_sent():
    assert repeated(Stillness(make_codec("int8"), 1.0)) is None


def test_without_a_threshold_no_frames_are_compared():
    assert Stillness(make_codec("int8"), 0.0).sending([tensor()], origin()) is None


def test_the_setting_names_the_longest_time():
    assert f"for {LONGEST_S:g} s at most" in EdgeSettings.model_fields["still_threshold"].description


def test_an_answer_grows_too_old():
    stillness = Stillness(make_codec("int8"), 0.1)
    first = send(stillness, captured_s=100.0)
    assert repeated(stillness, captured_s=100 + LONGEST_S) is first
    assert repeated(stillness, captured_s=100.01 + LONGEST_S) is None
    second = send(stillness, 2, captured_s=100.01 + LONGEST_S)
    assert repeated(stillness, captured_s=101 + LONGEST_S) is second
    assert second.origin.number == 2


@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
@pytest.mark.parametrize("codec", ["int8", "calibrated"])
def test_a_tensor_that_is_not_finite_repeats_nothing(codec, value):
    stillness = Stillness(Calibrated(profile()) if codec == "calibrated" else make_codec(codec), 1.0)
    sent = send(stillness)
    broken = tensor()
    broken[0, 0, 0] = value
    frame = origin(1)
    assert stillness.compare([broken], frame) == (None, None)
    assert list(frame.watch.seconds) == ["compare"]
    assert repeated(stillness) is sent


def test_a_frame_that_was_lost_is_compared_with_no_more():
    stillness = Stillness(make_codec("int8"), 0.1)
    lost = send(stillness, answer=None)
    assert repeated(stillness) is lost, "as long as its answer may come"
    lost.settle(None, "late")
    assert repeated(stillness) is None
