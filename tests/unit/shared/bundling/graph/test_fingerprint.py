"""What identifies a network, and what does not."""

from __future__ import annotations

import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
from kits import graphs
from kits.graphs import model, picture, residual

from shared.bundling.graph.fingerprint import fingerprint_of
from shared.engines.openvino.runtime import core, operations, ov
from shared.network.recipe import Recipe

_RECIPE = Recipe(8, 8, (0.0,) * 3, (1.0,) * 3)


def _of(graph: ov.Model, outputs: int = 1, recipe: Recipe = _RECIPE) -> str:
    return fingerprint_of(graph, outputs, recipe).hex()


def _tiny() -> ov.Model:
    given = picture()
    return model(given, residual(given))


def test_names_and_split_points_do_not_count() -> None:
    graph = _tiny()
    expected = _of(graph)
    for number, operation in enumerate(graph.get_ordered_ops()):
        operation.set_friendly_name(f"other{number}")
    assert _of(graph) == expected == _of(graph.clone())
    inside = graph.get_ordered_ops()
    relu = next(each for each in inside if each.get_type_name() == "Relu")
    results = [operations.result(relu), *graph.get_results()]
    assert _of(ov.Model(results, graph.get_parameters(), "cut")) == expected
    assert len(bytes.fromhex(expected)) == 8


def test_a_file_of_it_is_the_same_network(tmp_path: Path) -> None:
    path = graphs.save(_tiny(), tmp_path / "tiny.xml", {"labels": "a b"})
    assert _of(core().read_model(path)) == _of(_tiny())


def test_weights_attributes_edges_and_recipe_count() -> None:
    def changed(*, seed: int = 0, axis: int = 1, swapped: bool = False) -> ov.Model:
        given = picture((-1, 3, 4, 4))
        one, two = operations.relu(given), operations.sigmoid(given)
        joined = operations.concat([two, one] if swapped else [one, two], axis)
        return model(given, operations.multiply(joined, graphs.constant(1, seed=seed)))

    found = [
        _of(changed()),
        _of(changed(seed=1)),
        _of(changed(axis=2)),
        _of(changed(swapped=True)),
        _of(changed(), recipe=replace(_RECIPE, mean=(0.5,) * 3)),
        _of(changed(), recipe=replace(_RECIPE, channels="BGR")),
    ]
    assert len(set(found)) == len(found), found
    assert _of(changed()) == found[0]


def test_the_order_of_outputs_counts() -> None:
    given = picture()
    one, two = operations.relu(given), operations.sigmoid(given)
    assert _of(model(given, one, two), 2) != _of(model(given, two, one), 2)


def test_what_a_loop_does_counts() -> None:
    def looped(factor: float) -> ov.Model:
        given, inside = operations.parameter([1, 3]), operations.parameter([1, 3])
        body = ov.Model(
            [operations.multiply(inside, operations.constant(np.float32(factor)))], [inside], "body"
        )
        loop = operations.tensor_iterator()
        loop.set_body(body)
        loop.set_invariant_input(inside, given.output(0))
        return ov.Model(
            [operations.result(loop.get_iter_value(body.get_results()[0].output(0), -1))], [given], "loop"
        )

    assert _of(looped(2.0)) == _of(looped(2.0)) != _of(looped(3.0))


def _loop(
    *, last: bool = True, parts: int = 1, start: int = 0, back: int = 0, swapped: bool = False
) -> ov.Model:
    """Over rows: a step adds half of one kept value to the other, and a row to both. `back`: which of the two is kept in the first."""
    given = operations.parameter([1, 4, 3])
    row, one, two = (operations.parameter([1, parts, 3]) for _ in range(3))
    ends = [
        operations.add(operations.multiply(one, operations.constant(np.float32(0.5))), two),
        operations.add(row, two),
    ]
    body = ov.Model(
        [operations.result(end) for end in ends], [two, one, row] if swapped else [row, one, two], "body"
    )
    loop = operations.tensor_iterator()
    loop.set_body(body)
    zeros = operations.constant(np.zeros((1, parts, 3), np.float32)).output(0)
    loop.set_sliced_input(row, given.output(0), start, parts, parts, -1, 1)
    loop.set_merged_input(one, zeros, ends[back].output(0))
    loop.set_merged_input(two, zeros, ends[1].output(0))
    value = ends[0].output(0)
    outside = (
        loop.get_iter_value(value, -1)
        if last
        else loop.get_concatenated_slices(value, 0, parts, parts, -1, 1)
    )
    return ov.Model([operations.result(outside)], [given], "loop")


def test_what_goes_into_a_loop_and_out_of_it_counts(tmp_path: Path) -> None:
    changes: list[dict[str, int]] = [{}, {"last": 0}, {"parts": 2}, {"start": -1}, {"back": 1}]
    found = [_of(_loop(**change)) for change in changes]  # type: ignore[arg-type]
    assert len(set(found)) == len(found), found
    assert _of(_loop(swapped=True)) == found[0], (
        "the order of a body's inputs is not part of what it computes"
    )
    path = graphs.save(_loop(), tmp_path / "loop.xml")
    assert _of(core().read_model(path)) == found[0]


def test_without_loops_the_fingerprint_is_what_it_was() -> None:
    given = picture((1, 3, 4, 4))
    assert _of(model(given, operations.relu(given))) == "57a59d45355ad796"


def test_both_bodies_of_a_condition_count() -> None:
    def changed(then: str, otherwise: str) -> ov.Model:
        given = picture((1, 3, 4, 4))
        mean = operations.reduce_mean(given, operations.constant([0, 1, 2, 3]), keep_dims=False)
        choice = operations.if_op(operations.greater(mean, operations.constant(np.float32(0))).output(0))
        bodies = []
        for name in (then, otherwise):
            inner = operations.parameter([1, 3, 4, 4], np.float32)
            bodies.append(
                (ov.Model([operations.result(getattr(operations, name)(inner))], [inner], name), inner)
            )
        choice.set_then_body(bodies[0][0])
        choice.set_else_body(bodies[1][0])
        choice.set_input(given.output(0), bodies[0][1], bodies[1][1])
        out = choice.set_output(bodies[0][0].get_results()[0], bodies[1][0].get_results()[0])
        return model(given, out.get_node())

    found = [_of(changed(*names)) for names in (("sigmoid", "tanh"), ("sigmoid", "exp"), ("exp", "tanh"))]
    assert len({*found}) == 3
    assert _of(changed("sigmoid", "tanh")) == found[0]


_CONVERT = """
import torch
from shared.bundling.graph.fingerprint import fingerprint_of
from shared.bundling.sources.torch_module import convert_module
from shared.network.recipe import Recipe
torch.manual_seed(0)
for _ in range({before}):
    convert_module(torch.nn.ReLU().eval(), (3, 8, 8))  # numbers that OpenVINO gives
network = torch.nn.Sequential(torch.nn.Conv2d(3, 4, 3), torch.nn.BatchNorm2d(4), torch.nn.Flatten(), torch.nn.Linear(144, 5))
model = convert_module(network.eval().requires_grad_(False), (3, 8, 8))
print(fingerprint_of(model, 1, Recipe(8, 8, (0.0,) * 3, (1.0,) * 3)).hex())
"""


@pytest.mark.slow
def test_two_processes_that_convert_one_source_agree() -> None:
    root = Path(__file__).parents[5]
    found = [
        subprocess.run(
            [sys.executable, "-c", _CONVERT.format(before=before)],
            cwd=root, capture_output=True, text=True, check=True, timeout=200,
        ).stdout.split()[-1]
        for before in (0, 2)
    ]  # fmt: skip
    assert found[0] == found[1]
    assert len(found[0]) == 16
