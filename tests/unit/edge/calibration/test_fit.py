"""What a profile is fitted by: presets for each kind of tensor, importance of channels and positions, more pictures."""

from __future__ import annotations

import numpy as np
from kits.profiles import SMALL, features

from edge.calibration.fit import (
    POOLED_STEPS,
    SIGNED_STEPS,
    STEPS,
    Preset,
    fit_profile,
    presets,
)
from edge.calibration.importance import Importance
from edge.calibration.pictures import variants
from shared.codecs.calibrated.codec import Calibrated
from shared.codecs.calibrated.grid import to_grid


def test_the_presets_go_by_the_kind_of_tensor():
    def steps(shape, **kind):
        pooled = kind.pop("pooled")
        ones = np.ones(shape[0], np.float32), np.ones(shape[1:] or (1, 1), np.float32)
        found = presets([shape], signed=[kind["signed"]], importances=[Importance(*ones, pooled=pooled)])
        return [preset.step for (preset,) in found]

    assert steps((8, 6, 6), signed=False, pooled=False) == list(STEPS)
    assert steps((8, 6, 6), signed=True, pooled=False) == list(SIGNED_STEPS)
    for shape, signed, pooled in (((16,), False, False), ((16,), True, False), ((8, 6, 6), False, True)):
        assert steps(shape, signed=signed, pooled=pooled) == list(POOLED_STEPS)


def test_channels_and_positions_that_matter_get_finer_steps():
    tensors = features((8, 6, 6), 12)
    channels, positions = np.ones(8, np.float32), np.ones((6, 6), np.float32)
    channels[2], positions[3, 4] = 100.0, 100.0
    profile = fit_profile(
        tensors,
        SMALL,
        fingerprint=b"profile.",
        split_point="layer1",
        importance=Importance(channels, positions),
    )
    assert profile.arrays["step"].argmin() == 2
    assert profile.arrays["position_scale"].argmin() == 3 * 6 + 4


def test_variants_are_pictures_of_the_same_size_and_always_the_same():
    pictures = [np.random.default_rng(i).integers(0, 255, (32, 32, 3)).astype(np.uint8) for i in range(3)]
    first, again = variants(pictures, 7), variants(pictures, 7)
    assert len(first) == 7
    assert all(
        a.shape == (32, 32, 3) and a.dtype == np.uint8 and np.array_equal(a, b)
        for a, b in zip(first, again, strict=True)
    )
    assert not np.array_equal(first[0], first[3])
    assert variants(pictures, 0) == []


def test_fewer_pictures_have_more_variants():
    picture = np.zeros((2, 2, 3), np.uint8)
    for given, made in {1: 2, 37: 74, 80: 145, 150: 75, 225: 75, 270: 30, 300: 0, 400: 0}.items():
        assert len(variants([picture] * given)) == made, given


def test_variants_keep_the_shape_of_pictures_that_are_not_square():
    pictures = [np.random.default_rng(i).integers(0, 255, (24, 40, 3)).astype(np.uint8) for i in range(2)]
    made = variants(pictures, 6)
    assert {each.shape for each in made} == {(24, 40, 3)}
    assert variants([np.zeros((1, 1, 3), np.uint8)], 2)[1].shape == (1, 1, 3)


def test_a_profile_says_how_importance_was_measured():
    tensors = features((8, 6, 6), 12)
    ones = np.ones(8, np.float32), np.ones((6, 6), np.float32)
    for importance, how in (
        (None, "none"),
        (Importance(*ones), "gradients"),
        (Importance(*ones, how="noise"), "noise"),
    ):
        profile = fit_profile(
            tensors, SMALL, fingerprint=b"profile.", split_point="layer1", importance=importance
        )
        assert profile.about["importance"] == how


def test_a_zero_of_a_signed_tensor_stands_for_the_mean_of_both_signs():
    """The mean of their sizes would move all of them to one side."""
    shape = (32, 10, 10)
    profile = fit_profile(
        features(shape, 40, signed=True),
        Preset(step=0.4, groups=2, context_rank=4, corrector_rank=8),
        fingerprint=b"profile.",
        split_point="layer1",
    )
    assert np.abs(profile.arrays["centroid"][:, :, 0].astype(np.float32)).mean() < 0.05
    codec, bias, error = Calibrated(profile), [], []
    for tensor in features(shape, 10, seed=77, signed=True):
        encoded, symbols = codec.encode_symbols(tensor)
        off = to_grid(codec.decode(*encoded, shape) - tensor)[symbols.magnitudes == 0]
        bias.append(off.mean())
        error.append(off.std())
    assert abs(np.mean(bias)) < 0.1 * np.mean(error)
