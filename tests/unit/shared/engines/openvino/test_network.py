"""A bundle's network as an OpenVINO model: reading it and cutting it."""

from __future__ import annotations

import itertools

import pytest
from kits.bundles import POINTS, graph_of, make, oracle, tiny
from kits.engines import error, given_to, network_of, new_engine

from shared.engines.openvino.network import cut, read, result_names
from shared.engines.openvino.runtime import ov
from shared.errors import EngineError
from shared.network.partition import OUTPUT


def test_what_crosses_is_found_by_the_results_names() -> None:
    points = tiny(outputs=2).partition.points
    assert result_names(points["conv"]) == ["split point conv"]
    assert result_names(points[OUTPUT]) == ["output 0", "output 1"]
    assert result_names(tiny().partition.points[OUTPUT]) == ["split point output"]


def test_cutting_leaves_the_network_as_it_was() -> None:
    for batch in (None, 1):
        bundle = tiny(batch=batch)
        model = network_of(bundle)
        before = [str(node) for node in model.get_ordered_ops()]
        points = list(bundle.partition.points.values())
        for start, end in itertools.pairwise(points):
            segment = cut(model, start, end, one_by_one=batch == 1)
            assert [tuple(each.get_partial_shape())[1:] for each in segment.inputs] == [start.shape]
            assert [tuple(each.get_partial_shape())[1:] for each in segment.outputs] == [end.shape]
        assert [str(node) for node in model.get_ordered_ops()] == before


def test_a_tail_that_needs_the_batch_size_gets_it_from_its_own_input() -> None:
    """The token's rows are counted by the picture, which a tail does not have."""
    assert any(node.get_type_name() == "ShapeOf" for node in network_of(tiny()).get_ordered_ops())
    engine, point = new_engine(), tiny().partition.point("pool")
    for rows in (3, 1, 2):
        tensors = given_to("tail", point, rows, seed=rows)
        assert error(engine.tail(point)((tensors,)), oracle().tail("pool", tensors)) < 1e-5, rows


def test_constants_are_shared_and_read_again_after_their_pages_were_dropped() -> None:
    engine = new_engine()
    for kind in ("head", "tail"):
        for name in POINTS[1:-1]:
            engine.require(kind, tiny().partition.point(name))
    assert engine.failed_checks == 0


def test_a_network_with_its_batch_size_stuck_fails_its_check(tmp_path) -> None:
    bundle = make(tmp_path)
    ov.save_model(graph_of(oracle(), batch=1), bundle.network, compress_to_fp16=False)
    with pytest.raises(EngineError):
        new_engine("float32", bundle).require("head", bundle.partition.point("pool"))


def test_what_is_not_the_bundles_network_is_refused_in_one_line(tmp_path) -> None:
    bundle = make(tmp_path)
    ov.save_model(graph_of(oracle(outputs=2)), bundle.network, compress_to_fp16=False)
    with pytest.raises(EngineError, match=r"no result 'split point output', though 6 split points [^\n]+$"):
        read(bundle)
    bundle.network.write_text("<net")
    with pytest.raises(EngineError, match=r"network.xml: not a network that openvino can read: [^\n]+$"):
        read(bundle)
