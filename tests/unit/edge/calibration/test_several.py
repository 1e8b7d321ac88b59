"""Calibration where several tensors cross, and of answers that hold several things or none."""

from __future__ import annotations

from dataclasses import replace

import numpy as np
import pytest
from kits.bundles import tiny

from edge.calibration.calibration import Calibration, calibrate_on
from edge.calibration.command import _table
from edge.calibration.fit import Preset
from edge.calibration.generic import profile_for
from edge.calibration.point import Point, choose
from shared.codecs.calibrated.codec import Calibrated
from shared.engines.load import Network
from shared.network.partition import SplitPoint
from shared.tasks.agreement import Agreement
from shared.tasks.raw import Raw

SHAPES = ((6, 4, 4), (4, 2, 2), (5,))


class Engine:
    """A head that makes three tensors of a picture, and a tail that makes five classes of them."""

    def __init__(self):
        rng = np.random.default_rng(2)
        side = np.prod(tiny().model.recipe.tensor_shape)
        self.maps = [rng.normal(0, side**-0.5, (side, int(np.prod(shape)))) for shape in SHAPES]
        self.classes = [rng.normal(0, each.shape[1] ** -0.5, (each.shape[1], 5)) for each in self.maps]

    def head(self, _point):
        def run(tensors):
            rows = tensors[0].reshape(len(tensors[0]), -1)
            found = [(rows @ each).reshape(-1, *shape) for each, shape in zip(self.maps, SHAPES, strict=True)]
            return tuple(
                (each if number == 1 else np.maximum(each, 0)).astype(np.float32)
                for number, each in enumerate(found)
            )

        return run

    def tail(self, _point):
        def run(tensors):
            assert [tensor.shape[1:] for tensor in tensors] == list(SHAPES)
            rows = [
                tensor.reshape(len(tensor), -1) @ each
                for tensor, each in zip(tensors, self.classes, strict=True)
            ]
            return (sum(rows).astype(np.float32),)

        return run


@pytest.fixture(scope="module")
def network():
    return Network(tiny(), SplitPoint("neck", SHAPES, 70, 30), Engine())


def pictures(count):
    rng = np.random.default_rng(0)
    side = tiny().model.recipe.picture_shape
    return [rng.integers(0, 256, side).astype(np.uint8) for _ in range(count)]


def test_all_tensors_are_fitted_into_one_profile(network, monkeypatch):
    monkeypatch.setattr("edge.calibration.pictures.ENOUGH", 60)
    found = calibrate_on(network, pictures(48), 0.9)
    profile = found.profile
    assert profile.shapes == SHAPES
    assert profile.about["signed"] == "0;1;0"
    assert profile.about["importance"] == "noise"
    assert len(profile.about["step"].split(";")) == 3
    codec = Calibrated(profile)
    for number, shape in enumerate(SHAPES):
        encoded = codec.of_tensor(number).encode(np.ones(shape, np.float32))
        assert codec.of_tensor(number).decode(*encoded, shape).shape == shape
    for point in found.points:
        assert len(point.presets) == 3
        assert point.step.count("/") == 2
        assert point.kept is None, "a class is one thing a frame"
    sizes = [point.frame_bytes for point in found.points]
    assert sizes == sorted(sizes, reverse=True), "from fine to coarse"
    assert found.chosen.agreement >= 0.9 or found.chosen.agreement == max(
        point.agreement for point in found.points
    )


def test_presets_go_on_until_the_target_is_reached_or_no_longer(network, monkeypatch):
    monkeypatch.setattr("edge.calibration.pictures.ENOUGH", 24)
    usual = 3  # three of six, by halving
    easy = calibrate_on(network, pictures(32), 0.0)
    assert len(easy.points) == usual + 4
    assert easy.points[-1].presets[0].step > 1.3 * easy.points[usual - 1].presets[0].step
    assert easy.chosen is min(easy.points, key=lambda point: point.frame_bytes)
    monkeypatch.setattr("edge.calibration.fit.STEPS", (6.0, 7.0))
    monkeypatch.setattr("edge.calibration.fit.SIGNED_STEPS", (6.0, 7.0))
    monkeypatch.setattr("edge.calibration.fit.POOLED_STEPS", (6.0, 7.0))
    hard = calibrate_on(network, pictures(32), 1.0)
    assert len(hard.points) > 2
    assert hard.points[0].agreement >= hard.points[-1].agreement


def test_a_generic_profile_is_of_all_tensors(network, tmp_path, monkeypatch):
    monkeypatch.setattr("edge.calibration.generic._FRAMES", 6)
    monkeypatch.setattr("edge.calibration.generic._VARIANTS", 2)
    profile = profile_for(network, None, str(tmp_path))
    assert profile.shapes == SHAPES
    assert profile_for(network, None, str(tmp_path)).name == profile.name
    other = replace(network, point=SplitPoint("neck", SHAPES[:2], 70, 30))
    with pytest.raises(ValueError, match=r"zip|argument"):  # the head gives another number of tensors
        profile_for(other, None, str(tmp_path))


def point(size, agreement, kept, expected=120.0, divergence=0.5):
    return Point((Preset(step=0.8), Preset(step=1.6)), size, agreement, agreement - 0.1, 1.0, divergence, 40, kept, expected)  # fmt: skip


def test_the_table_shows_what_was_kept_and_of_how_many():
    points = [point(900, 0.97, 0.96), point(500, 0.9, 0.88)]
    text = _table(Calibration(None, points, points[0]), Raw(["out"]), "net at neck")
    assert "40 frames that were not fitted to, 120 findings" in text
    assert "kept" in text
    assert "96.0%" in text
    assert "0.8/1.6" in text
    assert "rel. error" in text
    assert "finds nothing" not in text


def test_frames_without_anything_to_find_choose_by_divergence_and_say_so():
    points = [point(900, 1.0, 1.0, 0.0, 0.1), point(500, 1.0, 1.0, 0.0, 0.2)]
    assert choose(points, 0.9) is points[0]
    assert "finds nothing" in _table(Calibration(None, points, points[0]), Raw(["out"]), "net at neck")
    nothing = Agreement(*(np.zeros(4),) * 3)
    assert (nothing.share, nothing.size) == (1.0, 0.0)
