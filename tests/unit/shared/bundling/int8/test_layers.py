"""Which layers of a graph see the picture, which have weights, and its stretches."""

from __future__ import annotations

import itertools

import numpy as np
from kits import quantised
from kits.graphs import constant, model, picture

from shared.bundling.int8.layers import Layers, name_apart
from shared.engines.openvino.runtime import operations


def test_the_first_are_those_with_no_weighted_layer_before_them() -> None:
    layers = Layers(quantised.network())
    assert (layers.first, layers.last) == (("stem",), ("fc",))
    assert layers.weighted == ("stem", "left", "right", "last", "end", "fc")
    assert not layers.attends


def test_two_that_give_outputs_are_both_last() -> None:
    given = picture((1, 3, 8, 8))
    stem = operations.convolution(given, constant(4, 3, 3, 3), [1, 1], [1, 1], [1, 1], [1, 1], name="stem")
    ends = [
        operations.convolution(stem, constant(2, 4, 1, 1), [1, 1], [0, 0], [0, 0], [1, 1], name=name)
        for name in ("boxes", "scores")
    ]
    layers = Layers(model(given, *ends))
    assert (layers.first, sorted(layers.last)) == (("stem",), ["boxes", "scores"])


def test_two_that_see_the_picture_are_both_first() -> None:
    given = picture((1, 3, 8, 8))
    bright = operations.relu(given)
    ends = [
        operations.convolution(each, constant(4, 3, 3, 3), [1, 1], [1, 1], [1, 1], [1, 1], name=name)
        for each, name in ((given, "one"), (bright, "other"))
    ]
    assert sorted(Layers(model(given, *ends)).first) == ["one", "other"]


def test_stretches_are_the_whole_network_once_and_have_as_many_weighted_layers_each() -> None:
    layers = Layers(quantised.network())
    for count in (1, 2, 3, 6, 50):
        stretches = layers.stretches(count)
        names = list(itertools.chain.from_iterable(stretches))
        assert len(names) == len(set(names)), count
        assert len(stretches) == min(count, 6), count
        weighted = [sum(name in layers.weighted for name in stretch) for stretch in stretches]
        assert sum(weighted) == 6, count
        assert max(weighted) - min(weighted) <= 1, count


def test_a_network_without_weights_has_no_stretch() -> None:
    given = picture()
    layers = Layers(model(given, operations.relu(given)))
    assert (layers.first, layers.weighted, layers.stretches(8)) == ((), (), [])


def test_what_multiplies_its_own_values_attends() -> None:
    given = picture((1, 3, 8, 8))
    tokens = operations.reshape(given, operations.constant(np.array([1, 3, 64])), special_zero=False)
    keys = operations.matmul(tokens, constant(64, 8), False, False, name="keys")
    scores = operations.matmul(keys, keys, False, True, name="scores")
    layers = Layers(model(given, scores))
    assert layers.attends
    assert layers.first == ("keys",)


def test_names_that_repeat_become_different() -> None:
    graph = quantised.network()
    for node in graph.get_ordered_ops():
        if node.get_type_name() == "Relu":
            node.set_friendly_name("relu")
    name_apart(graph)
    names = [node.get_friendly_name() for node in graph.get_ordered_ops()]
    assert len(names) == len(set(names))
    assert "relu" in names
