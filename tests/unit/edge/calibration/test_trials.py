"""Which presets are tried, and what several fits to the same frames share."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from kits.naming import naming
from kits.profiles import SMALL, features

from edge.calibration.fit import Preset, fit_crossing
from edge.calibration.fitting.frames import Frames
from edge.calibration.fitting.step_sizes import scales_of
from edge.calibration.point import Point, choose
from edge.calibration.trials import _between, cross
from shared.codecs.calibrated.codec import Calibrated
from shared.codecs.calibrated.grid import to_grid
from shared.errors import ModelError

if TYPE_CHECKING:
    from shared.engines.half import Tensors
    from shared.engines.load import Network

PRESETS = [(Preset(step=step),) for step in (1.0, 2.0, 3.0, 4.0, 5.0, 6.0)]


def points_at(agreements: list[float], target: float) -> tuple[list[float], list[Point]]:
    """The step sizes in the order in which they were tried, and the points."""
    tried = []

    def measured(chosen: tuple[Preset, ...]) -> Point:
        (preset,) = chosen
        tried.append(preset.step)
        return Point(chosen, 1000 / preset.step, agreements[int(preset.step) - 1], 0, 1, 0.1, 50)

    return tried, _between(PRESETS, measured, target)


def test_halving_finds_what_all_of_them_would() -> None:
    curve = [0.99, 0.97, 0.95, 0.93, 0.9, 0.8]
    for target in (0.999, 0.98, 0.96, 0.94, 0.92, 0.85, 0.5):
        with naming(target):
            tried, found = points_at(curve, target)
            assert len(tried) <= 3
            assert [point.preset.step for point in found] == sorted(tried)
            everything = [
                Point(chosen, 1000 / chosen[0].step, each, 0, 1, 0.1, 50)
                for chosen, each in zip(PRESETS, curve, strict=True)
            ]
            assert choose(found, target).preset == choose(everything, target).preset


def test_if_all_reach_the_target_the_coarsest_was_tried_and_if_none_does_the_finest() -> None:
    assert points_at([1.0] * 6, 0.9)[1][-1].preset.step == 6.0
    assert points_at([0.5] * 6, 0.9)[1][0].preset.step == 1.0


def test_frames_know_what_does_not_depend_on_the_step_size() -> None:
    for signed in (False, True):
        tensors = features((8, 6, 6), 10, signed=signed)
        frames = Frames.of(tensors, pooled=False)
        grids = np.stack([to_grid(tensor) for tensor in tensors])
        with naming(signed):
            assert np.array_equal(frames.grids, grids)
            assert (frames.shape, frames.signed) == ((8, 6, 6), signed)
            centre = grids.mean((0, 1, 2)) if signed else 0
            np.testing.assert_allclose(
                frames.size, np.sqrt(((grids - centre) ** 2).mean((0, 1, 2))), rtol=1e-5
            )
            assert np.any(frames.offset) == signed
            coarse, fine = (scales_of(frames, step, None)["step"] for step in (2.0, 1.0))
            np.testing.assert_allclose(coarse, 2 * fine, rtol=1e-6)
    assert Frames.of(features((8, 6, 6), 3), pooled=True).grids.shape == (3, 1, 1, 8)


def test_a_dead_channel_has_a_size_all_the_same() -> None:
    tensors = np.array(features((4, 5, 5), 6))
    tensors[:, 2] = 0
    size = Frames.of(tensors, pooled=False).size
    assert size[2] == 1e-6 * size.max()


def test_a_quick_fit_is_a_profile_like_the_other() -> None:
    tensors, held_out = features((16, 8, 8), 40), features((16, 8, 8), 10, seed=4)
    frames, sizes, errors = Frames.of(tensors, pooled=False), [], []
    for quick in (False, True):
        profile = fit_crossing([frames], [SMALL], fingerprint=b"profile.", split_point="layer1", quick=quick)
        codec = Calibrated(profile)
        sent = [codec.encode(tensor) for tensor in held_out]
        sizes.append(sum(len(each.payload) for each in sent))
        back = [codec.decode(*each, (16, 8, 8)) for each in sent]
        errors.append(float(np.mean([(a - b) ** 2 for a, b in zip(back, held_out, strict=True)])))
        assert profile.about["frames"] == "40"
    assert sizes[1] < 1.05 * sizes[0]
    assert errors[1] < 1.1 * errors[0]
    assert errors[1] != errors[0], "it looked at fewer places"


def test_a_head_that_gives_no_number_is_said_and_nothing_is_fitted(tiny_network: Network) -> None:
    pictures = [np.full((32, 32, 3), shade, np.uint8) for shade in (10, 20)]
    values = iter((1.0, np.nan))

    def head(_pictures: Tensors) -> Tensors:
        return (np.full((1, 4, 2, 2), next(values), np.float32),)

    where = tiny_network.point.name
    with pytest.raises(
        ModelError, match=f"picture 2 of 2 gives NaN or infinity at {where}; accepted: finite"
    ):
        cross(tiny_network.point, tiny_network.model.recipe, head, pictures)
