"""int8 bundles with the real NNCF; `make nncf-test` installs it into a virtual environment of its own."""

from __future__ import annotations

import importlib.util
from typing import TYPE_CHECKING
from unittest import mock

import numpy as np
import pytest
from kits import quantised
from kits.graphs import constant, model
from kits.int8_bundle import RECIPE, float_bundle

from shared.bundling.bundler import make_bundle
from shared.bundling.int8 import maker
from shared.engines import make_engine
from shared.engines.half import in_symbols
from shared.engines.openvino.runtime import core, operations, ov
from shared.network.bundle import read_bundle
from shared.network.choice import NetworkChoice
from shared.network.partition import INPUT, OUTPUT

if TYPE_CHECKING:
    from pathlib import Path

    from shared.bundling.int8.maker import Int8Report
    from shared.network.bundle import Bundle

pytestmark = [
    pytest.mark.slow,
    pytest.mark.skipif(
        importlib.util.find_spec("nncf") is None, reason="nncf is not installed: `make nncf-test`"
    ),
    pytest.mark.filterwarnings("ignore"),  # what other packages warn of is no concern of ours
]


def int8_of(network: Bundle, folder: Path, *, portable: bool = False) -> Int8Report:
    folder.mkdir()
    with mock.patch.object(maker, "speed_gain", lambda *_: 2.0):  # so small a network gains nothing
        pictures = quantised.pictures(maker.MIN_PICTURES)
        return maker.make_int8(network, pictures, folder, wanted=0.5, portable=portable)


@pytest.fixture(scope="module")
def network(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    return float_bundle(tmp_path_factory.mktemp("made") / "float")


def require_exact(bundle: Bundle, *, symbols: bool) -> None:
    """Head then tail is the whole, bit for bit; with `symbols`, bytes cross somewhere."""
    engine = make_engine(bundle, threads=1)
    pictures = quantised.pictures(3, seed=4)
    tensors = np.stack([bundle.model.recipe.normalise(picture) for picture in pictures])
    want = engine.head(bundle.partition.point(OUTPUT))((tensors,))
    inner = [point for name, point in bundle.partition.points.items() if name not in (INPUT, OUTPUT)]
    assert inner
    assert any(any(point.grids) for point in inner) or not symbols
    for point in inner:
        crossing = in_symbols(engine.head(point))((tensors,))
        for grid, each in zip(point.grids, crossing, strict=False):
            assert (each.dtype == np.uint8) == (grid is not None), point.name
        for found, right in zip(engine.tail(point)(crossing), want, strict=True):
            np.testing.assert_array_equal(found, right, point.name)


def weights_of(bundle: Bundle) -> int:
    """The largest whole number among the weights of the layers that are computed in int8."""
    found = core().read_model(bundle.network)
    stored = [
        node.get_data() for node in found.get_ordered_ops()
        if node.get_type_name() == "Constant" and node.get_element_type() == ov.Type.i8
    ]  # fmt: skip
    assert stored
    return max(int(np.abs(each.astype(int)).max()) for each in stored)


def test_it_is_exact_at_every_split_point(network: Bundle, tmp_path: Path) -> None:
    report = int8_of(network, tmp_path / "int8")
    assert report.bundle is not None, report.why_not
    bundle = read_bundle(report.bundle.folder)
    assert bundle.manifest.int8 is not None
    assert bundle.manifest.int8.in_float == ["stem"]
    assert bundle.manifest.made_with["nncf"]
    require_exact(bundle, symbols=True)
    assert weights_of(bundle) > 64
    again = int8_of(network, tmp_path / "again")
    assert again.bundle is not None
    assert again.bundle.model.fingerprint == bundle.model.fingerprint


def test_for_processors_without_vnni_weights_have_seven_bits(network: Bundle, tmp_path: Path) -> None:
    report = int8_of(network, tmp_path / "int8", portable=True)
    assert report.bundle is not None, report.why_not
    bundle = read_bundle(report.bundle.folder)
    assert bundle.manifest.int8 is not None
    assert bundle.manifest.int8.portable
    assert weights_of(bundle) <= 64
    require_exact(bundle, symbols=True)


def test_what_multiplies_its_own_values_is_quantised_as_a_transformer_and_exact(tmp_path: Path) -> None:
    given = operations.parameter([-1, 3, quantised.SIDE, quantised.SIDE], np.float32)
    patches = operations.convolution(
        given, constant(16, 3, 6, 6), [6, 6], [0, 0], [0, 0], [1, 1], name="patches"
    )
    tokens = operations.transpose(
        operations.reshape(patches, operations.constant([0, 16, -1], np.int64), special_zero=True),
        operations.constant([0, 2, 1], np.int64),
    )
    queries, keys, values = (
        operations.matmul(tokens, constant(16, 16), False, False, name=name) for name in ("q", "k", "v")
    )
    scores = operations.softmax(operations.matmul(queries, keys, False, True), 2)
    mixed = operations.add(operations.matmul(scores, values, False, False), tokens)
    wide = operations.gelu(operations.matmul(mixed, constant(16, 32), False, False, name="wide"), "erf")
    narrow = operations.add(operations.matmul(wide, constant(32, 16), False, False, name="narrow"), mixed)
    means = operations.reduce_mean(narrow, operations.constant([1], np.int64), keep_dims=False)
    answer = operations.matmul(means, constant(16, quantised.CLASSES), False, False, name="fc")
    source = tmp_path / "attends.xml"
    ov.save_model(model(given, answer), source, compress_to_fp16=False)
    (tmp_path / "float").mkdir()
    make_bundle(NetworkChoice(str(source), recipe=RECIPE, task="classify"), tmp_path / "float", patience_s=1)
    report = int8_of(read_bundle(tmp_path / "float"), tmp_path / "int8")
    assert report.bundle is not None, report.why_not
    require_exact(read_bundle(report.bundle.folder), symbols=False)
