"""Halves, probe and table of a network whose pyramid crosses."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from kits.engines import new_engine
from kits.graphs import save
from kits.pyramids import feature_pyramid
from safetensors.numpy import load_file

from shared.bundling.bundler import make_bundle
from shared.engines.load import describe_split_points
from shared.engines.openvino.network import passed, read
from shared.engines.probe import Probe, tensor_keys
from shared.errors import EngineError
from shared.network.choice import NetworkChoice
from shared.network.partition import OUTPUT
from shared.network.stage_ends import stage_ends

if TYPE_CHECKING:
    from shared.engines.half import Half, Tensors
    from shared.network.bundle import Bundle
    from shared.network.partition import SplitPoint

pytestmark = pytest.mark.slow  # compiles networks


@pytest.fixture(scope="module")
def bundle(tmp_path_factory: pytest.TempPathFactory) -> Bundle:
    """A network with places where two to five tensors cross."""
    folder = tmp_path_factory.mktemp("pyramid")
    (folder / "bundle").mkdir()
    path = save(feature_pyramid(), folder / "pyramid.xml")
    return make_bundle(NetworkChoice(str(path)), folder / "bundle", patience_s=1)


def _several(bundle: Bundle) -> list[SplitPoint]:
    points = [*bundle.partition.points.values()][:-1]
    return [point for point in points if len(point.shapes) > 1]


def test_the_probe_holds_a_sample_of_each_tensor(bundle: Bundle) -> None:
    stored = load_file(bundle.probe)
    for point in _several(bundle):
        assert tensor_keys(point) == [f"{point.name}/{number}" for number in range(len(point.shapes))]
        for key, shape in zip(tensor_keys(point), point.shapes, strict=True):
            assert stored[f"sample/{key}"].shape == (2, min(4096, int(np.prod(shape)))), key
    chosen = [point for point in stage_ends(bundle.partition.points.values()) if len(point.shapes) > 1]
    assert chosen
    for point in chosen:
        for key, shape in zip(tensor_keys(point), point.shapes, strict=True):
            assert stored[f"given/{key}"].shape == (2, *shape), key
    assert tensor_keys(bundle.partition.points["stem"]) == ["stem"]
    assert "sample/stem" in stored


def test_every_tensor_of_a_head_is_checked(bundle: Bundle) -> None:
    engine = new_engine("float32", bundle)
    probe = Probe(bundle, lambda: engine)
    for point in _several(bundle):
        right = engine.head(point)
        assert probe.error("head", point, right) < 1e-5, point.name
        for number in range(len(point.shapes)):
            for factor, least in ((1.5, 0.4), (np.nan, None)):
                error = probe.error("head", point, _distorted(right, number, factor))
                what = (point.name, number, factor)
                assert np.isnan(error) if least is None else error > least, what
        assert np.isnan(probe.error("head", point, lambda tensors, right=right: right(tensors)[:-1])), (
            point.name
        )
        assert np.isnan(probe.error("head", point, lambda tensors, right=right: (*right(tensors), *tensors)))


def test_a_head_of_another_number_of_tensors_is_refused_in_one_line(
    bundle: Bundle, monkeypatch: pytest.MonkeyPatch
) -> None:
    engine = new_engine("float32", bundle)
    point = _several(bundle)[0]
    compile_half: Any = engine._compile
    monkeypatch.setattr(engine, "_compile", lambda *what: lambda tensors: compile_half(*what)(tensors)[:1])
    with pytest.raises(EngineError, match=r"^openvino in float32: the head at \S+ differs [^\n]+$"):
        engine.require("head", point)


def _distorted(half: Half, number: int, factor: float) -> Half:
    def run(tensors: Tensors) -> Tensors:
        return tuple(
            each * np.float32(factor) if place == number else each for place, each in enumerate(half(tensors))
        )

    return run


def test_tails_are_given_what_is_stored_or_what_the_reference_computes(bundle: Bundle) -> None:
    engine = new_engine("float32", bundle)
    stored = load_file(bundle.probe)
    for point in _several(bundle):
        given = Probe(bundle, lambda: engine).given("tail", point)
        assert [each.shape for each in given] == [(2, *shape) for shape in point.shapes]
        assert Probe(bundle, lambda: engine).error("tail", point, engine.tail(point)) < 1e-5
        for key, each in zip(tensor_keys(point), given, strict=True):
            if f"given/{key}" in stored:
                want = stored[f"given/{key}"].astype(np.float32) * stored[f"scale/{key}"]
                np.testing.assert_array_equal(each, want, err_msg=key)


def test_what_crosses_at_two_places_is_known_to_pass(bundle: Bundle) -> None:
    points = bundle.partition.points
    model = read(bundle)
    both = points["stage2.b+stage3.b"]
    assert passed(model, points["stage2.b"], both) == {0: 0}
    assert passed(model, points["input"], both) == {}
    assert passed(model, both, points[OUTPUT]) == {}


def test_the_table_shows_all_tensors_with_their_bytes(bundle: Bundle) -> None:
    lines = describe_split_points(bundle.partition).splitlines()
    (line,) = (each for each in lines if each.startswith("stage2.b+stage3.b "))
    assert line.split()[1:6] == ["32x8x8", "+", "48x4x4", str(2816), str(4 * 2816)]
    assert len({len(each) for each in lines}) == 1
