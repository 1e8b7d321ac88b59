"""What a preset costs and gives, and which one is recommended."""

from __future__ import annotations

import numpy as np
import pytest
from kits.profiles import features, make_profile

from edge.calibration.calibration import Calibration, calibrate_on
from edge.calibration.fit import Preset
from edge.calibration.point import Point, choose, measure
from shared.codecs.calibrated.codec import Calibrated
from shared.tasks.agreement import wilson
from shared.tasks.classify import Classify

TASK = Classify([f"class {number}" for number in range(5)], 1)


def test_wilson_against_published_numbers():
    """Newcombe (1998), table I: 81 of 263 gives 0.2553 to 0.3662."""
    assert wilson(81 / 263, 263) == pytest.approx((0.2553, 0.3662), abs=1e-4)
    assert wilson(0, 20)[0] == 0
    assert wilson(1, 20)[1] == 1


def point(step: float, size: float, agreement: float, kl: float = 0.1) -> Point:
    return Point((Preset(step=step),), size, agreement, 0, 1, kl, 100)


def test_the_cheapest_that_reaches_the_target_is_chosen():
    points = [point(1, 900, 0.99), point(2, 500, 0.96), point(3, 300, 0.9)]
    assert choose(points, 0.95) is points[1]
    assert choose(points, 0.9) is points[2]
    assert choose(points, 0.995) is points[0]


def test_without_one_the_nearest_is_chosen():
    points = [point(1, 900, 0.9, 0.2), point(2, 500, 0.9, 0.1), point(3, 300, 0.8)]
    assert choose(points, 0.95) is points[1]


def test_measuring_encodes_and_decodes_for_real():
    shape = (8, 6, 6)
    profile = make_profile(preset=Preset(step=0.1, levels=16, groups=2, context_rank=4))
    held_out = features(shape, 10, seed=8)
    weights = np.random.default_rng(0).standard_normal((8, 5)).astype(np.float32)

    def tail(tensors):
        return (tensors[0].mean((2, 3)) @ weights,)

    logits = tail((np.stack(held_out),))

    def tried(profile):
        return measure(
            Calibrated(profile), [held_out], logits, tail, TASK, split_point="layer1", fingerprint=b"profile."
        )

    fine = tried(profile)
    coarse = tried(make_profile(preset=Preset(step=6.0, groups=2, context_rank=4, corrector_rank=0)))
    assert fine.frames == 10
    assert fine.divergence < coarse.divergence
    assert fine.frame_bytes > coarse.frame_bytes > 56 + 16
    assert fine.low <= fine.agreement <= fine.high


def test_the_chosen_preset_is_fitted_to_all_pictures(tiny_network, monkeypatch):
    monkeypatch.setattr("edge.calibration.pictures.ENOUGH", 24)
    monkeypatch.setattr("edge.calibration.fit.STEPS", (0.5, 2.0))
    rng = np.random.default_rng(0)
    crop = tiny_network.model.recipe.picture_shape
    pictures = [rng.integers(0, 256, crop).astype(np.uint8) for _ in range(24)]
    told = []
    found = calibrate_on(tiny_network, pictures, 0.5, lambda *progress: told.append(progress))
    assert isinstance(found, Calibration)
    assert [point.presets[0].step for point in found.points][:2] == [0.5, 2.0]
    assert found.chosen is choose(found.points, 0.5)
    assert {point.frames for point in found.points} == {6}, "a quarter is held out"
    profile = found.profile
    Calibrated(profile)
    assert (profile.fingerprint, profile.split_point) == (
        tiny_network.model.fingerprint,
        tiny_network.point.name,
    )
    assert profile.about["held_out_frames"] == "6"
    assert profile.about["importance"] == "noise", "the network comes from no torch network"
    assert profile.about["frames"] == "30", (
        "18 pictures that were fitted to, 6 variants of them, and the held out"
    )
    count = len(found.points)
    assert told[-1] == ("fitting and measuring", count, count + 1)
