"""Outputs that need no computing: what crosses is one of them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from kits import graphs
from kits.graphs import convolution, model, picture, pictures, save

from shared.bundling.bundler import make_bundle
from shared.engines import make_engine
from shared.engines.openvino.runtime import operations
from shared.network.choice import NetworkChoice
from shared.network.partition import INPUT, OUTPUT

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow  # compiles networks


@pytest.mark.parametrize("batch", [1, -1])
def test_they_are_written_and_what_was_given_is_left_alone(tmp_path: Path, batch: int) -> None:
    given = picture((batch, 3, 8, 8))
    inner = convolution(given, 3, 4, "inner")
    pooled = operations.reduce_mean(inner, operations.constant([2, 3]), keep_dims=False, name="pooled")
    scores = operations.matmul(pooled, graphs.constant(4, 5), False, False, name="scores")
    outputs = (scores, pooled, inner)
    path = save(model(given, *outputs), tmp_path / "net.xml")
    (tmp_path / "made").mkdir()
    bundle = make_bundle(NetworkChoice(str(path)), tmp_path / "made", patience_s=1)
    engine = make_engine(bundle, precision="float32", threads=1)
    for count in (1, 3, 2, 7) * 8 if batch == -1 else (1, 1):
        tensor = pictures(count)
        expected = graphs.run(model(given, *outputs), tensor) if count == 1 else None
        whole = engine.head(bundle.partition.points[OUTPUT])((tensor,))
        for point in bundle.partition.points.values():
            crossing = engine.head(point)((tensor,)) if point.name != INPUT else (tensor,)
            before = [each.copy() for each in crossing]
            found = engine.tail(point)(crossing) if point.name != OUTPUT else crossing
            what = f"{point.name}, {count} pictures"
            for value, wanted in zip(found, expected or whole, strict=True):
                np.testing.assert_allclose(value.ravel(), wanted.ravel(), rtol=1e-4, atol=1e-5, err_msg=what)
            for value, wanted in zip(crossing, before, strict=True):
                np.testing.assert_array_equal(value, wanted, err_msg=what)
            assert not any(np.shares_memory(value, each) for value in found for each in crossing) or (
                point.name == OUTPUT
            )
