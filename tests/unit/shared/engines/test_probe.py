"""The probe: its pictures, and the error of a half on them."""

from __future__ import annotations

from typing import Any

import numpy as np
import pytest
from kits.edge import partition_of, tiny_model
from kits.engines import error, probe_of

from shared.engines import TorchEngine
from shared.engines.probe import PICTURES, probe_pictures


def test_the_probe_pictures_differ_and_are_always_the_same() -> None:
    recipe = tiny_model().recipe
    pictures = probe_pictures(recipe)
    assert pictures.shape == (PICTURES, *recipe.tensor_shape)
    assert PICTURES > 1
    assert pictures.dtype == np.float32
    np.testing.assert_array_equal(pictures, probe_pictures(recipe))
    assert error(pictures[:1], pictures[1:2]) > 0.1
    for picture in pictures:
        assert all(0.1 < channel.std() < 2 for channel in picture)


def test_the_error_is_relative_and_the_larger_one_of_the_two_pictures() -> None:
    probe, point = probe_of(tiny_model()), partition_of(tiny_model()).point("conv")
    reference = TorchEngine(partition_of(tiny_model()))

    def scaled(*factors: float) -> Any:
        rows = np.array(factors, np.float32)[:, None]
        return lambda tensors: rows * reference.tail(point)(tensors)

    assert probe.error("tail", point, reference.tail(point)) == pytest.approx(0, abs=1e-6)
    assert probe.error("tail", point, scaled(1, 1.25)) == pytest.approx(0.25, rel=1e-3)
    assert probe.error("tail", point, scaled(0.5, 1.25)) == pytest.approx(0.5, rel=1e-3)
    assert np.isnan(probe.error("tail", point, scaled(1, np.nan)))
    assert np.isnan(probe.error("tail", point, scaled(np.nan, 1)))
