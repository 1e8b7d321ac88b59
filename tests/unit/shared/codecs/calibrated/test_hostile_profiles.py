"""Profiles that no calibration wrote: a usable codec or an error that says what is wrong."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kits.naming import naming
from kits.profiles import features, make_profile, with_arrays

from shared.codecs.calibrated.codec import Calibrated
from shared.codecs.calibrated.profile import Profile
from shared.errors import ContentError, LimitError, ProfileContentError
from shared.limits import MAX_PROFILE_BYTES

PROFILE = make_profile()
CODEC = Calibrated(PROFILE)
PAYLOAD = CODEC.encode(features(PROFILE.shapes[0], 1)[0]).payload


changed = partial(with_arrays, PROFILE)


def test_an_array_that_is_missing_is_named():
    for name in sorted(set(PROFILE.arrays) - {"corrector_inputs"}):
        with naming(name), pytest.raises(ProfileContentError, match=name.replace(".", r"\.")):
            Calibrated(changed(**{name: None}))


def test_an_array_of_another_formats_corrector_is_refused():
    with pytest.raises(ProfileContentError, match="corrector_down is int8"):
        Calibrated(changed(corrector_inputs=None))
    with pytest.raises(ProfileContentError, match="corrector_bias"):
        Calibrated(
            changed(
                corrector_inputs=None,
                corrector_down=np.zeros((8, 4), np.float16),
                corrector_up=np.zeros((4, 8), np.float16),
            )
        )


def test_a_corrector_of_the_largest_numbers_gives_what_is_finite_or_one_error():
    """Whatever its factors, nothing wraps around, and numpy and the library say the same."""
    rng = np.random.default_rng(0)
    largest = np.finfo(np.float32).max
    for trial in range(40):
        arrays = {
            name: np.where(rng.random(PROFILE.arrays[name].shape) < 0.5, -128, 127).astype(np.int8)
            for name in ("corrector_down", "corrector_up")
        }
        for name in ("corrector_inputs", "corrector_latent", "corrector_outputs"):
            arrays[name] = (
                largest * rng.choice([-1, -1e-38, 0, 1e-38, 1e-30, 1], PROFILE.arrays[name].shape)
            ).astype(np.float32)
        profile = changed(**arrays)
        outcomes = []
        for compiled in (False, True):
            codec = Calibrated(profile, compiled=compiled)
            try:
                outcomes.append(codec.decode(profile.digest, PAYLOAD, PROFILE.shapes[0]).tobytes())
            except ContentError as error:
                outcomes.append(str(error).encode())
        with naming(trial):
            assert outcomes[0] == outcomes[1]


def test_an_array_of_another_dtype_or_shape_is_named():
    for name, array in sorted(PROFILE.arrays.items()):
        for other in (array.astype("<i4" if array.dtype != np.int32 else "<i2"), array[..., None]):
            with (
                naming(name, other.dtype),
                pytest.raises(ProfileContentError, match=name.replace(".", r"\.")),
            ):
                Calibrated(changed(**{name: other}))


def test_numbers_whose_product_is_none_are_refused_without_a_warning():
    large = {name: np.full_like(PROFILE.arrays[name], 1e30) for name in ("step", "position_scale")}
    with pytest.raises(ProfileContentError, match="step sizes are not positive numbers"):
        Calibrated(changed(**large))


def test_numbers_that_are_none_are_refused():
    of_floats = {name: array for name, array in PROFILE.arrays.items() if array.dtype.kind == "f"}
    assert len(of_floats) > 5
    for name, whole in sorted(of_floats.items()):
        for value in (np.nan, np.inf):
            array = whole.copy()
            array.flat[0] = value
            with naming(name, value), pytest.raises(ProfileContentError):
                Calibrated(changed(**{name: array}))


@pytest.mark.parametrize(
    ("name", "value", "words"),
    [
        ("step", 0, "positive"),
        ("step", -1, "positive"),
        ("step", 1e-45, "positive"),
        ("position_scale", 0, "positive"),
        ("ladder", 0, "positive numbers that sum"),
        ("magnitudes", 7, "positive numbers that sum"),
        ("magnitude_kind", 255, "out of range"),
        ("channel_kind", 255, "out of range"),
        ("context.0.classes", 64, "out of range"),
        ("context.3.up", 32767, "too large to be exact"),
        ("context.0.bias", 2**24, "too large to be exact"),
        ("context.0.shift", 25, "above 24"),
    ],
)
def test_numbers_out_of_range_are_refused(name, value, words):
    array = np.full_like(PROFILE.arrays[name], value)
    with pytest.raises(ProfileContentError, match=words):
        Calibrated(changed(**{name: array}))


def test_bad_strings_are_refused():
    for key in ("levels", "groups", "signed", "pooled"):
        for value in ("", "x", "-1", "999", "1e3", "²"):
            profile = Profile.make(
                PROFILE.arrays,
                fingerprint=PROFILE.fingerprint,
                split_point="layer1",
                shapes=PROFILE.shapes,
                about={**PROFILE.about, key: value},
            )
            if key in ("signed", "pooled") and value == "999":  # any number but 0 says yes
                continue
            with naming(key, value), pytest.raises(ProfileContentError):
                Calibrated(profile)


def test_values_that_overflow_are_the_profiles_fault_and_one_error():
    codec = Calibrated(changed(step=np.full(8, 3e38, np.float32), offset=np.full(8, 3e38, np.float32)))
    with pytest.raises(ContentError, match="not finite"):
        codec.decode(codec.profile.digest, PAYLOAD, PROFILE.shapes[0])


@given(st.binary(max_size=300))
@settings(max_examples=200, deadline=None)
def test_any_bytes_are_a_profile_or_one_error(data):
    with pytest.raises(ProfileContentError):
        Profile.from_bytes(data)


@given(st.integers(0, 4000), st.integers(1, 255))
@settings(max_examples=150, deadline=None)
def test_a_damaged_profile_is_usable_or_one_error(position, mask):
    data = bytearray(PROFILE.data)
    data[position] ^= mask
    try:
        codec = Calibrated(Profile.from_bytes(bytes(data)))
    except (ProfileContentError, LimitError):
        return
    try:
        codec.decode(codec.profile.digest, PAYLOAD, PROFILE.shapes[0])
    except ContentError:
        return


def test_a_profile_above_the_limit_is_not_read():
    with pytest.raises(LimitError):
        Profile.from_bytes(bytes(MAX_PROFILE_BYTES + 1))
