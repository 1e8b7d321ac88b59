"""Quantised networks, which are computed in floating point."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from kits import graphs
from kits.graphs import model, picture, save

from shared.bundling.bundler import make_reported
from shared.engines.openvino.runtime import operations, without_integers
from shared.network.choice import NetworkChoice

if TYPE_CHECKING:
    from pathlib import Path

    from shared.engines.openvino.runtime import ov


def _quantised(value: ov.Node) -> ov.Node:
    low, high = (operations.constant(np.float32(end)) for end in (-2.56, 2.54))
    return operations.fake_quantize(value, low, high, low, high, 256)


def _convolution(value: ov.Node) -> ov.Node:
    integers = np.random.default_rng(0).integers(-20, 20, (8, 3, 3, 3)).astype(np.int8)
    weights = operations.multiply(
        operations.convert(operations.constant(integers), "f32"), operations.constant(np.float32(0.02))
    )
    return operations.convolution(value, weights, [2, 2], [1, 1], [1, 1], [1, 1])


def _network() -> ov.Model:
    given = picture((1, 3, 32, 48))
    values = _quantised(operations.relu(_convolution(_quantised(given))))
    pooled = operations.reduce_mean(values, operations.constant([2, 3]), keep_dims=False)
    return model(given, operations.matmul(pooled, graphs.constant(8, 5), False, False))


def test_only_they_get_another_option() -> None:
    given = picture()
    assert without_integers(model(given, graphs.residual(given))) == {}
    assert without_integers(_network()) == {"LP_TRANSFORMS_MODE": "NO"}


@pytest.mark.slow
def test_they_are_cut_rightly(tmp_path: Path) -> None:
    path = save(_network(), tmp_path / "int8.xml")
    (tmp_path / "made").mkdir()
    _, report = make_reported(NetworkChoice(str(path)), tmp_path / "made", patience_s=1, check="all")
    assert report.checked >= 4
    assert report.cut_error < 1e-4
