"""Split points of a graph."""

from __future__ import annotations

import math

import numpy as np
from kits import graphs, pyramids
from kits.graphs import model, picture, residual

from shared.bundling.graph.marking import marked
from shared.bundling.graph.points import find_places
from shared.engines.openvino.runtime import operations, ov
from shared.network.partition import SplitPoint


def _find(graph: ov.Model, batch: int | None = None, known: tuple[SplitPoint, ...] = ()) -> list[SplitPoint]:
    names = [f"out{index}" for index in range(len(graph.get_results()) - len(known))]
    places = find_places(graph, batch, known=known, outputs=names, is_given=lambda _: True)
    return [place.point for place in places]


def test_points_have_names_shapes_and_work() -> None:
    given = picture()
    points = _find(model(given, residual(given)))
    assert [(point.name, point.shapes) for point in points] == [
        ("input", ((3, 8, 8),)),
        ("stem", ((4, 8, 8),)),
        ("add", ((4, 8, 8),)),
        ("pool", ((4,),)),
        ("output", ((5,),)),
    ]
    stem, left, fc = 64 * 4 * 3 * 9, 64 * 4 * 4 * 9, 4 * 5
    total = stem + left + fc
    assert [point.head_macs for point in points] == [0, stem, stem + left, stem + left, total]
    assert all(point.head_macs + point.tail_macs == total for point in points)


def test_of_one_picture_whole_tensors_travel() -> None:
    given = picture((1, 4, 8, 8))
    shuffled = operations.reshape(given, operations.constant([8, 2, 16]), special_zero=False, name="folded")
    turned = operations.transpose(shuffled, operations.constant([1, 0, 2]), name="turned")
    deep = operations.reshape(turned, operations.constant([2, 1, 2, 8, 8]), special_zero=False, name="deep")
    back = operations.reshape(deep, operations.constant([1, 256]), special_zero=False, name="flat")
    points = _find(model(given, operations.relu(back)), batch=1)
    assert {point.name: point.shapes[0] for point in points} == {
        "input": (4, 8, 8),
        "folded": (8, 2, 16),
        "turned": (2, 8, 16),
        "deep": (2, 2, 8, 8),  # five dimensions do not fit a frame
        "flat": (256,),
        "output": (256,),
    }


def test_tensors_without_the_batch_in_front_are_no_points() -> None:
    given = picture((-1, 4, 8, 8))
    turned = operations.transpose(given, operations.constant([1, 0, 2, 3]), name="turned")
    back = operations.transpose(operations.relu(turned, name="relu"), operations.constant([1, 0, 2, 3]))
    assert [point.name for point in _find(model(given, back))] == ["input", "output"]


def test_only_activations_cross() -> None:
    given = picture((-1, 4, 8, 8))
    whole = operations.convert(
        operations.multiply(given, operations.constant(np.float32(9))), "i32", name="whole"
    )
    graph = model(given, operations.relu(operations.convert(whole, "f32", name="float")))
    assert "whole" not in [point.name for point in _find(graph)]
    assert "float" in [point.name for point in _find(graph)]


def test_beside_known_points_only_other_shapes_are_listed() -> None:
    given = picture((-1, 4, 4, 4))
    same = operations.relu(given, name="same")
    view = operations.reshape(same, operations.constant([0, 2, 2, 4, 4]), special_zero=True, name="view")
    turned = operations.transpose(view, operations.constant([0, 2, 1, 3, 4]), name="turned")
    back = operations.reshape(turned, operations.constant([0, 4, 4, 4]), special_zero=True, name="back")
    end = operations.relu(back, name="end")
    known = (
        SplitPoint("input", ((4, 4, 4),), 0, 100),
        SplitPoint("block.cat", ((4, 4, 4),), 60, 40),
        SplitPoint("block", ((4, 4, 4),), 60, 40),
    )
    points = _find(model(given, given, same, back, end), known=known)
    assert [(point.name, point.head_macs) for point in points] == [
        ("input", 0),
        ("block.cat", 60),
        ("block.view", 60),
        ("block", 60),
        ("output", 100),
    ]
    assert points[2].shapes == ((2, 2, 4, 4),)


def test_outputs_of_any_type_have_at_least_one_dimension() -> None:
    given = picture()
    flat = residual(given)
    best = operations.topk(flat, operations.constant(1), 1, "max", "value").output(1)
    row = operations.squeeze(best, operations.constant([1]))
    graph = model(given, flat, row)
    places = find_places(graph, None, known=(), outputs=["a", "b"], is_given=lambda _: True)
    assert places[-1].point.shapes == ((5,), (1,))
    names = [result.get_friendly_name() for result in marked(graph, places, 2, "tiny").get_results()]
    assert names[-2:] == ["output 0", "output 1"]
    scores, number = graphs.run(marked(graph, places, 2, "tiny"), graphs.pictures(3))[-2:]
    assert (number.shape, number.dtype) == ((3, 1), np.float32)
    np.testing.assert_array_equal(number[:, 0], scores.argmax(axis=1))


def test_places_of_several_tensors_lie_between_those_of_one() -> None:
    points = _find(pyramids.feature_pyramid())
    several = [point for point in points[:-1] if len(point.shapes) > 1]
    names = [point.name for point in points]
    assert len(set(names)) == len(names)
    works = [point.head_macs for point in points]
    assert works == sorted(works)
    first = several[0]
    assert (first.name, first.shapes) == ("stage2.b+stage3.b", ((32, 8, 8), (48, 4, 4)))
    assert names.index("stage2.b") + 1 == names.index(first.name)


def test_places_of_several_tensors_count_work_as_known_points_do() -> None:
    graph = pyramids.feature_pyramid()
    alone = _find(graph)
    (stage2,) = (point for point in alone if point.name == "stage2.b")
    total = alone[-1].head_macs
    inner = next(node for node in graph.get_ordered_ops() if node.get_friendly_name() == "stage2.b")
    given = graph.get_parameters()[0]
    known = (
        SplitPoint("input", ((3, 32, 32),), 0, total + 1000),
        SplitPoint("backbone.stage2", stage2.shapes, stage2.head_macs + 1000, total - stage2.head_macs),
    )
    ends = [result.input_value(0).get_node() for result in graph.get_results()]
    found = {point.name: point for point in _find(model(given, given, inner, *ends), known=known)}
    assert found["backbone.stage2"] == known[1]
    for point in alone:
        if len(point.shapes) > 1 and point.name != "output":
            assert found[point.name].head_macs == point.head_macs + 1000, point.name
            assert found[point.name].tail_macs == point.tail_macs, point.name


def test_a_value_that_crosses_at_several_places_has_a_result_for_each() -> None:
    graph = pyramids.feature_pyramid()
    pictures = graphs.pictures(2, 3, pyramids.SIDE, pyramids.SIDE)
    expected = graphs.run(graph, pictures)
    places = find_places(graph, None, known=(), outputs=["a", "b"], is_given=lambda _: True)
    result = marked(graph, places, 2, "tiny")
    names = [each.get_friendly_name() for each in result.get_results()]
    both = [f"split point stage2.b+stage3.b tensor {number}" for number in range(2)]
    assert [name for name in names if "stage2.b+stage3.b tensor" in name] == both
    assert names[-2:] == ["output 0", "output 1"]
    found = dict(zip(names, graphs.run(result, pictures), strict=True))
    for one, other in zip(expected, (found["output 0"], found["output 1"]), strict=True):
        np.testing.assert_allclose(one, other, rtol=1e-4, atol=1e-5)
    np.testing.assert_array_equal(found["split point stage2.b"], found[both[0]])


def test_short_floats_are_cut_as_float32_and_the_whole_stays_the_same() -> None:
    given = picture()
    narrow = operations.convert(given, "f16", name="narrow")
    graph = model(given, residual(narrow, np.float16))
    expected = graphs.run(graph, graphs.pictures(2))[0]
    places = find_places(graph, None, known=(), outputs=["out"], is_given=lambda _: True)
    result = marked(graph, places, 1, "tiny")
    assert {each.get_element_type() for each in result.outputs} == {ov.Type.f32}
    assert [each.get_friendly_name() for each in result.get_results()] == [
        f"split point {name}" for name in ("narrow", "stem", "add", "pool", "output")
    ]
    found = graphs.run(result, graphs.pictures(2))
    np.testing.assert_allclose(found[-1], expected.astype(np.float32), rtol=1e-3)
    assert math.prod(found[2].shape) == 2 * 4 * 8 * 8
