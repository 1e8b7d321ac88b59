"""Head then tail equals the whole network wherever several tensors cross, in a batch, in a chain, and for networks of one picture."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from kits.engines import new_engine
from kits.graphs import save
from kits.parity import WEIGHTS
from kits.pyramids import NETWORKS, SIDE, for_one_picture

from shared.bundling.bundler import make_reported
from shared.engines.segmented import Segmented
from shared.limits import MAX_TENSORS
from shared.network.choice import NetworkChoice
from shared.network.partition import INPUT, OUTPUT

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from shared.engines.half import Tensors
    from shared.network.bundle import Bundle

pytestmark = pytest.mark.slow  # compiles networks

_DETECTOR = WEIGHTS / "fastestdet.onnx"


def _bundle(source: Path, folder: Path) -> Bundle:
    folder.mkdir()
    return make_reported(NetworkChoice(str(source)), folder, patience_s=1)[0]


def _several(bundle: Bundle) -> list[str]:
    points = bundle.partition.points.values()
    return [point.name for point in points if len(point.shapes) > 1 and point.name != OUTPUT]


def _assert_near(got: Tensors, want: Tensors, what: str) -> None:
    assert len(got) == len(want), what
    for found, right in zip(got, want, strict=True):
        assert found.shape == right.shape, what
        scale = np.abs(right).max()
        assert np.abs(found - right).max() <= 1e-4 * scale, what


def _assert_parity(bundle: Bundle, pictures: np.ndarray, names: Sequence[str]) -> None:
    """At these points, for all pictures at once and in a chain of all of them."""
    engine = new_engine("float32", bundle)
    whole = engine.head(bundle.partition.point(OUTPUT))((pictures,))
    assert len(pictures) < 2 or any(np.abs(each[0] - each[1]).max() > 0 for each in whole)
    chain = Segmented(engine, [bundle.partition.point(name) for name in (INPUT, *names, OUTPUT)])
    for name in names:
        point = bundle.partition.point(name)
        crossing = engine.require("head", point)((pictures,))
        assert [each.shape for each in crossing] == [(len(pictures), *shape) for shape in point.shapes], name
        kept = [each.copy() for each in crossing]
        _assert_near(engine.require("tail", point)(crossing), whole, name)
        assert all(np.array_equal(*pair) for pair in zip(crossing, kept, strict=True)), name
        _assert_near(chain.head(point)((pictures,)), crossing, f"{name} in a chain")
        _assert_near(chain.tail(point)(crossing), whole, f"{name} in a chain")
        engine.release()


@pytest.mark.parametrize("name", NETWORKS)
def test_a_network_is_cut_right_where_several_tensors_cross(name: str, tmp_path: Path) -> None:
    bundle = _bundle(save(NETWORKS[name](), tmp_path / f"{name}.xml"), tmp_path / "any")
    assert (bundle.batch, bundle.manifest.schema_version) == (None, 2)
    names = [point for point in bundle.partition.points if point not in (INPUT, OUTPUT)]
    several = _several(bundle)
    assert several
    pictures = np.random.default_rng(1).standard_normal((3, 3, SIDE, SIDE)).astype(np.float32)
    _assert_parity(bundle, pictures, names)
    one = _bundle(save(for_one_picture(NETWORKS[name]()), tmp_path / "one.xml"), tmp_path / "one")
    assert one.batch == 1
    assert _several(one)
    _assert_parity(one, pictures, _several(one))


@pytest.mark.skipif(not _DETECTOR.is_file(), reason="needs ../shared/weights/fastestdet.onnx")
def test_a_real_detector_is_cut_where_two_tensors_are_cheaper_than_one(tmp_path: Path) -> None:
    bundle = _bundle(_DETECTOR, tmp_path / "bundle")
    points = list(bundle.partition.points.values())
    several = _several(bundle)
    assert several
    for name in several:
        place = [point.name for point in points].index(name)
        assert 2 <= len(points[place].shapes) <= MAX_TENSORS, name
        before = next(point for point in reversed(points[:place]) if len(point.shapes) == 1)
        after = next(point for point in points[place:] if len(point.shapes) == 1)
        assert points[place].elements <= max(before.elements, after.elements), name
        assert before.head_macs < points[place].head_macs < after.head_macs, name
    shape = bundle.partition.point(INPUT).shape
    pictures = np.random.default_rng(1).random((2, *shape), np.float32)
    _assert_parity(bundle, pictures, several)
