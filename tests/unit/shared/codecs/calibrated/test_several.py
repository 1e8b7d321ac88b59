"""One profile for all tensors of a crossing."""

from __future__ import annotations

import json
import struct

import numpy as np
import pytest
from kits.naming import naming
from kits.profiles import SMALL, features

from edge.calibration.fit import fit_crossing
from shared.codecs import encode_frame
from shared.codecs.calibrated.codec import Calibrated
from shared.codecs.calibrated.profile import Profile
from shared.codecs.coding import decode_tensors
from shared.errors import ContentError, ProfileContentError
from shared.limits import MAX_TENSORS
from shared.wire import frame as wire

SHAPES = ((8, 6, 6), (4, 3, 3), (5,))
CROSSING = [features(shape, seed=seed, signed=seed == 1) for seed, shape in enumerate(SHAPES)]
PROFILE = fit_crossing(CROSSING, [SMALL] * 3, fingerprint=b"profile.", split_point="neck")
CODEC = Calibrated(PROFILE)


def codecs_of(profile: Profile) -> list:
    codec = Calibrated(profile)
    return [codec.of_tensor(number) for number in range(len(profile.shapes))]


def sent(codec: Calibrated, crossing: list) -> wire.Frame:
    return encode_frame(crossing, codec, split_point="neck", fingerprint=b"profile.", frame_id=1)


def remade(about: dict | None = None, arrays: dict | None = None, shapes: tuple = SHAPES) -> Profile:
    """PROFILE with strings or arrays replaced, arrays left out for None."""
    kept = {**PROFILE.arrays, **(arrays or {})}
    return Profile.make(
        {name: array for name, array in kept.items() if array is not None},
        fingerprint=PROFILE.fingerprint,
        split_point="neck",
        shapes=shapes,
        about={**PROFILE.about, **(about or {})},
    )


def test_a_crossing_goes_over_the_wire_under_one_profile():
    crossing = [tensors[0] for tensors in CROSSING]
    frame = wire.unpack(wire.pack(sent(CODEC, crossing)))
    assert [tensor.params for tensor in frame.tensors] == [PROFILE.digest, b"", b""]
    read = Profile.from_bytes(PROFILE.data)
    assert read.shapes == SHAPES
    decoded = decode_tensors(frame, codecs_of(read))
    for array, expected in zip(decoded, crossing, strict=True):
        with naming(expected.shape):
            assert array.shape == expected.shape
            assert np.square(array - expected).mean() < 0.6 * np.square(expected).mean()
    assert decoded[0].min() >= 0 > decoded[1].min(), "each tensor has signs of its own"


def test_each_tensor_is_coded_as_if_it_were_alone():
    for number, (tensors, codec) in enumerate(zip(CROSSING, codecs_of(PROFILE), strict=True)):
        alone = fit_crossing([tensors], [SMALL], fingerprint=b"profile.", split_point="neck")
        first, second = (each.encode(tensors[3]) for each in (codec, Calibrated(alone)))
        with naming(number):
            assert first.payload == second.payload


def test_a_profile_of_one_tensor_has_no_prefixes_and_no_lists():
    alone = fit_crossing(CROSSING[:1], [SMALL], fingerprint=b"profile.", split_point="neck")
    assert not [name for name in alone.arrays if name.split(".")[0].isdigit()]
    assert not [text for text in alone.about.values() if ";" in text]
    assert alone.about["shape"] == "8,6,6"


def test_tensors_that_the_profile_does_not_know_are_refused():
    with pytest.raises(ContentError, match="of 3 tensors"):
        CODEC.of_tensor(3)
    crossing = [tensors[0] for tensors in CROSSING]
    with pytest.raises(ContentError, match="the shape"):
        sent(CODEC, crossing[::-1])
    frame = sent(CODEC, crossing)
    with pytest.raises(ContentError, match="profile"):
        CODEC.of_tensor(1).decode(PROFILE.digest, frame.tensors[1].payload, SHAPES[1])


def test_strings_and_arrays_that_do_not_fit_the_tensors_are_named():
    for what, profile, words in (
        ("too few values", lambda: remade({"levels": "16;16"}), "levels"),
        ("one for all", lambda: remade({"signed": "1"}), "signed"),
        ("too many", lambda: remade({"groups": "2;2;2;2"}), "groups"),
        ("an empty one", lambda: remade({"pooled": "0;;0"}), "pooled"),
        ("no number", lambda: remade({"levels": "16;x;16"}), "levels"),
        ("thousands", lambda: remade({"levels": ";".join(["16"] * 1000)}), "levels"),
        ("an array is missing", lambda: remade(arrays={"1.step": None}), "step"),
        ("an array of another tensor", lambda: remade(arrays={"2.step": PROFILE.arrays["0.step"]}), "step"),
        ("no prefixes", lambda: remade(arrays={name: None for name in PROFILE.arrays if name[0] == "0"}), "no array"),
        ("other shapes", lambda: remade(shapes=(*SHAPES[:2], (6,))), "shape"),
    ):  # fmt: skip
        with naming(what), pytest.raises(ProfileContentError, match=words) as caught:
            Calibrated(profile())
        assert len(str(caught.value)) < 300


def test_shapes_are_bounded_in_number_and_in_sum():
    def claimed(shape: str) -> bytes:
        size = struct.unpack_from("<Q", PROFILE.data)[0]
        header = json.loads(PROFILE.data[8 : 8 + size])
        header["__metadata__"]["shape"] = shape
        text = json.dumps(header).encode()
        return struct.pack("<Q", len(text)) + text + PROFILE.data[8 + size :]

    for what, shape in (
        ("more than a frame holds", ";".join(["2,3,3"] * (MAX_TENSORS + 1))),
        ("thousands", ";".join(["1"] * 1500)),
        ("each below the limit, not their sum", "1024,96,96;1024,96,96"),
        ("an empty one", "8,6,6;;5"),
        ("none", ""),
        ("a length of nothing", "8,6,6;0;5"),
        ("too many dimensions", "8,6,6;1,1,1,1,1;5"),
    ):
        with naming(what), pytest.raises(ProfileContentError, match="shape") as caught:
            Profile.from_bytes(claimed(shape))
        assert len(str(caught.value)) < 300
