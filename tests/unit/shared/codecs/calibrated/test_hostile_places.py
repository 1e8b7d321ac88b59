"""Arrays that go by position, from nobody who is trusted."""

from __future__ import annotations

from functools import partial

import numpy as np
import pytest
from kits.naming import naming
from kits.profiles import still_camera, with_arrays

from shared.codecs.calibrated.codec import Calibrated
from shared.codecs.calibrated.profile import FORMAT, FORMAT_2, FORMAT_3, Profile
from shared.errors import ContentError, LimitError, ProfileContentError

PROFILE = still_camera()
SHAPE = PROFILE.shapes[0]


changed = partial(with_arrays, PROFILE)


def test_arrays_by_position_have_exactly_the_grids_shape():
    for name in ("usual", "channel_kind", "magnitude_kind", "magnitudes"):
        array = PROFILE.arrays[name]
        for what, other in (
            ("a row is missing", array[..., :-1]),
            ("one more dimension", array[..., None]),
            ("flat", array.ravel()),
            ("another type", array.astype(np.int32)),
        ):
            with naming(name, what), pytest.raises(ProfileContentError, match=name):
                Calibrated(changed(**{name: other}))


def test_kinds_that_have_no_table_are_refused():
    for name in ("channel_kind", "magnitude_kind"):
        kinds = PROFILE.arrays[name].copy()
        kinds[2, 3, 1] = 200
        with naming(name), pytest.raises(ProfileContentError, match="out of range"):
            Calibrated(changed(**{name: kinds}))
    tables = np.concatenate([PROFILE.arrays["magnitudes"]] * 5)
    kinds = PROFILE.arrays["magnitude_kind"].copy()
    kinds[0, 0, 0] = 39
    with pytest.raises(LimitError, match="320 tables"):
        Calibrated(changed(magnitudes=tables, magnitude_kind=kinds))


def test_values_that_are_not_finite_are_refused_or_found():
    usual = PROFILE.arrays["usual"].copy()
    usual[1, 2, 2, 3] = np.nan
    with pytest.raises(ProfileContentError, match="usual"):
        Calibrated(changed(usual=usual))
    steps = np.full_like(PROFILE.arrays["step"], 3e38)
    codec = Calibrated(changed(usual=np.full_like(usual, 6e4), step=steps))
    encoded = codec.encode(np.zeros(SHAPE, np.float32))
    with pytest.raises(ContentError, match="not finite"):
        codec.decode(*encoded, SHAPE)


def test_the_format_is_the_first_that_has_all_of_it():
    assert PROFILE.about["format"] == FORMAT_3
    whole = {name for name in PROFILE.arrays if name.startswith("corrector_")}
    assert changed(**dict.fromkeys(whole)).about["format"] == FORMAT_2
    plain = {
        "channel_kind": PROFILE.arrays["channel_kind"][0, 0],
        "magnitude_kind": PROFILE.arrays["magnitude_kind"][0, 0],
        "magnitudes": PROFILE.arrays["magnitudes"][:, 0],
    }
    kept = {**PROFILE.arrays, **plain}
    arrays = {name: array for name, array in kept.items() if name not in {"usual", *whole}}
    older = Profile.make(
        arrays,
        fingerprint=PROFILE.fingerprint,
        split_point=PROFILE.split_point,
        shapes=PROFILE.shapes,
        about=PROFILE.about,
    )
    assert older.about["format"] == FORMAT
    codec = Calibrated(Profile.from_bytes(older.data))
    tensor = np.abs(np.random.default_rng(0).normal(size=SHAPE)).astype(np.float32)
    assert np.isfinite(codec.decode(*codec.encode(tensor), SHAPE)).all()
