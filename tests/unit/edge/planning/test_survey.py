"""What every option costs, measured on a network of a few parameters with a clock that ticks once for each look."""

from __future__ import annotations

import itertools
import json
import logging
import random

import numpy as np
import pytest
from kits.tiny import SIDE, engine_of, partition_of, tiny_model

from edge.planning.making.known_options import from_json, to_json
from edge.planning.making.survey import MAX_SECONDS, MIN_PICTURES, survey
from edge.planning.planner import Option
from shared.codecs import encode_frame, make_codec
from shared.codecs.floating import Floating
from shared.engines.segmented import segmented
from shared.network.partition import INPUT, OUTPUT

MODEL = tiny_model()
PARTITION = partition_of(MODEL)
START, END = PARTITION.ends
RELU = PARTITION.point("relu")
NETWORK = segmented(engine_of(MODEL), [START, PARTITION.point("conv"), RELU, END])


def pictures_of(count):
    """Pictures of one colour each, so that they are not all of one class."""
    colours = np.random.default_rng(5).integers(0, 256, (count, 1, 1, 3))
    noise = np.random.default_rng(6).integers(0, 20, (count, SIDE, SIDE, 3))
    return list(np.clip(colours + noise, 0, 255).astype(np.uint8))


PICTURES = pictures_of(20)
CODECS = {
    INPUT: {name: make_codec(name) for name in ("png", "jpeg:quality=90,subsampling=0")},
    "conv": {"float32": make_codec("float32")},
    "relu": {name: make_codec(name) for name in ("int8", "int8+zstd")},
    OUTPUT: {},
}


def ticks(seconds=1.0):
    numbers = itertools.count()
    return lambda: seconds * next(numbers)


def surveyed(codecs=CODECS, pictures=PICTURES, *, preprocess_s=0.0, clock=None):
    found = survey(NETWORK, MODEL, pictures, codecs, preprocess_s=preprocess_s, clock=clock or ticks(0.0001))
    return {each.name: each for each in found}


def classes():
    tensors = np.stack([MODEL.recipe.normalise(picture) for picture in PICTURES])
    return NETWORK.head(END)((tensors,))[0].argmax(1)


class Spoiling(Floating):
    """Travels well, and every `every`th tensor arrives as nothing but zeros."""

    def __init__(self, every=1):
        super().__init__(make_codec("float32").id, "float32", "<f4")
        self._every, self._count = every, 0

    def decode(self, params, payload, shape):
        self._count += 1
        array = super().decode(params, payload, shape)
        return array if self._count % self._every else np.zeros_like(array)


def test_every_way_is_surveyed_and_doing_everything_here_too():
    found = surveyed()
    assert list(found) == [
        "input png", "input jpeg:quality=90,subsampling=0", "conv float32", "relu int8", "relu int8+zstd", "output"
    ]  # fmt: skip
    assert {each.frames for each in found.values()} == {20}


def test_output_only_where_it_is_asked_for():
    assert list(surveyed({"relu": CODECS["relu"]})) == ["relu int8", "relu int8+zstd"]
    assert list(surveyed({OUTPUT: {}})) == ["output"]


@pytest.mark.parametrize(("point", "name"), [(INPUT, "png"), ("relu", "int8+zstd")])
def test_bytes_are_those_of_payloads(point, name):
    codec, sizes = make_codec(name), []
    for picture in PICTURES:
        tensors = MODEL.recipe.normalise(picture)[None]
        array = picture if point == INPUT else NETWORK.head(RELU)((tensors,))[0][0]
        frame = encode_frame([array], codec, split_point=point, fingerprint=MODEL.fingerprint, frame_id=0)
        sizes.append(frame.payload_bytes)
    assert surveyed()[f"{point} {name}"].frame_bytes == pytest.approx(np.mean(sizes))


def test_the_times_add_up():
    found = surveyed(preprocess_s=0.25, clock=ticks(1e-3))
    whole = found["output"]
    assert (whole.encode_s, whole.decode_s, whole.tail_s, whole.frame_bytes, whole.agreement) == (
        0,
        0,
        0,
        0,
        1.0,
    )
    assert whole.head_s == pytest.approx(0.25 + 5e-3), "three segments, to pack and to unpack"
    assert found["input png"].head_s == 0.25
    assert found["conv float32"].head_s == pytest.approx(0.25 + 3e-3)
    for each in found.values():
        assert each.head_s + each.tail_s == pytest.approx(whole.head_s)
        if not each.is_local:
            assert (each.encode_s, each.decode_s) == (pytest.approx(1e-3), pytest.approx(1e-3))


def test_a_slow_frame_does_not_count():
    generator, now = random.Random(1), 0.0

    def clock():
        nonlocal now
        now += 0.5 if generator.random() < 0.02 else 0.001
        return now

    for each in surveyed(clock=clock).values():
        assert max(each.head_s, each.encode_s, each.decode_s, each.tail_s) < 0.02


# --- agreement ----------------------------------------------------------------------------------------------------


def test_what_arrives_as_it_was_agrees():
    found = surveyed()
    assert found["input png"].agreement == 1.0
    assert found["conv float32"].agreement == 1.0
    assert found["relu int8"].agreement == found["relu int8+zstd"].agreement


@pytest.mark.parametrize("every", [1, 2, 3])
def test_what_arrives_spoilt_agrees_only_by_chance(every):
    wanted = classes()
    by_zeros = NETWORK.tail(RELU)((np.zeros((1, *RELU.shape), np.float32),))[0].argmax()
    spoilt = np.arange(1, len(PICTURES) + 1) % every == 0
    expected = np.mean(~spoilt | (wanted == by_zeros))
    assert expected < 1
    (found,) = surveyed({"relu": {"bad": Spoiling(every)}}).values()
    assert found.agreement == pytest.approx(expected)
    assert found.frames == len(PICTURES)


@pytest.mark.parametrize("count", [1, 7, 8, 9])
def test_frames_of_an_incomplete_batch_count_as_well(count):
    for each in surveyed(pictures=PICTURES[:count]).values():
        assert each.frames == count


# --- how long it takes --------------------------------------------------------------------------------------------


def test_after_a_while_no_more_pictures_are_begun():
    found = surveyed(clock=ticks(1.0))
    assert {each.frames for each in found.values()} == {MIN_PICTURES}


def test_but_all_of_a_few_are():
    found = surveyed(pictures=PICTURES[: MIN_PICTURES - 1], clock=ticks(MAX_SECONDS))
    assert {each.frames for each in found.values()} == {MIN_PICTURES - 1}


def test_it_says_what_it_did(caplog):
    caplog.set_level(logging.INFO)
    surveyed()
    assert "surveyed 6 options on 20 pictures in " in caplog.text


# --- kept and recalled --------------------------------------------------------------------------------------------


def test_options_survive_json():
    options = list(surveyed().values())
    again = from_json(json.loads(json.dumps(to_json(options))))
    assert again == options
    assert all(isinstance(each, Option) for each in again)


def test_fields_of_another_version_are_nothing():
    (kept,) = to_json(list(surveyed({OUTPUT: {}}).values()))
    assert from_json([kept]) is not None
    assert from_json([kept | {"speed": 1}]) is None
    assert from_json([{key: each for key, each in kept.items() if key != "frames"}]) is None


@pytest.mark.parametrize(
    "value", [None, [], {}, {"a": 1}, "options", 7, [1], [[]], [None], [{}], ["output"], True]
)
def test_what_is_no_survey_is_nothing(value):
    assert from_json(value) is None
