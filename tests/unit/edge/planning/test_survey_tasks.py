"""The survey where several tensors cross, and where answers are not one class for each frame."""

from __future__ import annotations

import itertools

import numpy as np
import pytest
from kits.edge import pictures
from kits.pyramid import ENGINE, MODEL, PARTITION, crossing, profile_of

from edge.frames.preprocess import Preprocess
from edge.planning.making.survey import survey
from shared.codecs import encode_frame, make_codec
from shared.codecs.base import Codec
from shared.codecs.calibrated.codec import Calibrated
from shared.engines import telling as module
from shared.engines.segmented import segmented
from shared.engines.telling import telling_task
from shared.errors import ContentError
from shared.network.partition import OUTPUT
from shared.tasks.agreement import Agreement, one_each

CHAIN = segmented(ENGINE, list(PARTITION.points.values()))
FRAMES = list(pictures(20, seed=3))
PICTURES = [Preprocess(MODEL.recipe)(frame) for frame in FRAMES]


def surveyed(codecs, pictures=PICTURES):
    numbers = itertools.count()
    found = survey(CHAIN, MODEL, pictures, codecs, preprocess_s=0.0, clock=lambda: 1e-4 * next(numbers))
    return {each.name: each for each in found}


@pytest.mark.parametrize("point", ["neck", "pyramid"])
def test_bytes_are_those_of_all_tensors(point):
    codecs = {
        "int8": make_codec("int8"),
        "float32": make_codec("float32"),
        "calibrated": Calibrated(profile_of(point)),
    }
    found = surveyed({point: codecs})
    for name, codec in codecs.items():
        sizes = [
            encode_frame(
                crossing(point, frame), codec, split_point=point, fingerprint=MODEL.fingerprint, frame_id=0
            ).payload_bytes
            for frame in FRAMES
        ]
        assert found[f"{point} {name}"].frame_bytes == pytest.approx(np.mean(sizes)), name
    assert found[f"{point} float32"].agreement == 1.0
    assert found[f"{point} float32"].frames == 20
    assert 0.3 < found[f"{point} calibrated"].agreement <= 1


class Spoiling(Codec):
    """The tensor of one number arrives as another."""

    id, name = make_codec("float32").id, "float32"

    def __init__(self, spoilt, number=0):
        self._spoilt, self._number = spoilt, number
        self._inner = make_codec("float32")

    def of_tensor(self, number):
        return type(self)(self._spoilt, number)

    def encode(self, array):
        return self._inner.encode(array)

    def decode(self, params, payload, shape):
        array = self._inner.decode(params, payload, shape)
        return np.full_like(array, -9) if self._number == self._spoilt else array


def test_each_tensor_counts_in_the_agreement():
    shares = [
        surveyed({"pyramid": {"float32": Spoiling(spoilt)}})["pyramid float32"].agreement
        for spoilt in (0, 1, 2, 3)
    ]
    assert shares[3] == 1.0
    assert max(shares[:3]) < 1.0


class Overflowing(Spoiling):
    """What arrives makes the answer infinite."""

    def decode(self, params, payload, shape):
        return np.full(shape, 3e38, np.float32)


def test_an_option_whose_answers_no_task_can_read_is_none(monkeypatch, caplog):
    """Detectors refuse what is not finite; where it was not caught, the start ended."""
    monkeypatch.setattr(module, "make_task", lambda *_: Finite())
    codecs = {"float32": make_codec("float32"), "overflowing": Overflowing(0)}
    for count in (1, 7, 8, 20):
        found = surveyed({"pyramid": codecs, OUTPUT: {}}, PICTURES[:count])
        assert list(found) == ["pyramid float32", "output"], count
    assert "overflowing at pyramid is no choice: the network's answer is not finite" in caplog.text


class Finite:
    """A task that refuses what is not finite."""

    def agreement(self, expected, found):
        if not np.isfinite(found[0]).all():
            raise ContentError("the network's answer is not finite")
        return one_each(np.ones(len(found[0])))


# --- whether there is anything to compare -----------------------------------------------------------------------------


class Scores:
    """A detector's task as far as the survey looks at it: each of the first frame's values above the threshold is a box."""

    def __init__(self, threshold, own=0.5):
        self.threshold = own if threshold is None else threshold

    def agreement(self, expected, found):
        first, second = ((each[0] > self.threshold).sum(1).astype(float) for each in (expected, found))
        return Agreement(np.minimum(first, second), first, second)


@pytest.fixture
def detecting(monkeypatch):
    monkeypatch.setattr(module, "make_task", lambda _, wanted: Scores(wanted.threshold))


def told_by(whole):
    """The task that these pictures' outputs give, as a survey asks for it."""
    return telling_task(
        MODEL, len(PICTURES), lambda number: whole((MODEL.recipe.normalise(PICTURES[number])[None],))
    )


@pytest.mark.parametrize(
    ("scores", "threshold", "runs"),
    [
        ([0.9, 0.1], 0.5, 1),
        ([0.4, 0.05], 0.3, 10),
        ([0.29, 0.02], 0.1, 10),
        ([0.02, 0.02], 0.01, 10),
        ([0.001, 0.002], 0.5, 10),
    ],
)
def test_boxes_are_compared_from_a_score_at_which_there_are_some(detecting, caplog, scores, threshold, runs):
    run = []

    def whole(tensors):
        run.append(tensors)
        return (np.array([scores], np.float32),)

    assert told_by(whole).threshold == threshold
    assert len(run) == runs, "no more than it takes"
    (line,) = [record.getMessage() for record in caplog.records] or [""]
    if min(scores) > 0.003 and threshold != 0.5:
        assert line.endswith(f"agreement is of what it finds from a score of {threshold:g}")
    else:
        assert ("so their agreement says nothing" in line) == (max(scores) < 0.01)


def test_what_is_seen_late_in_a_recording_counts(detecting):
    seen = iter([0.0] * 5 + [0.9] * 5)
    assert told_by(lambda _: (np.full((1, 2), next(seen), np.float32),)).threshold == 0.5


def test_classes_are_compared_after_one_run():
    run = []

    def whole(tensors):
        run.append(tensors)
        return CHAIN.head(PARTITION.point(OUTPUT))(tensors)

    assert told_by(whole).name == "classify"
    assert len(run) == 1
