"""Split points found again in a graph that was rewritten: each crossing tensor carries a name through the quantiser's passes."""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

import numpy as np

from shared.engines.openvino.network import result_names
from shared.engines.openvino.runtime import operations, ov
from shared.network.grid import Grid
from shared.network.partition import INPUT, OUTPUT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.network.partition import Partition, SplitPoint

_LEVELS = 256
_NEAR = 1e-3
"""How far from a whole number a zero point may be: the quantiser has moved the range so that it is one."""


class Crossing(NamedTuple):
    """What crosses at a split point of a quantised graph."""

    point: SplitPoint
    values: tuple[ov.Output, ...]
    """As the graph computes them."""
    quantised: tuple[ov.Output | None, ...]
    """The same as everything behind them takes them: rounded to a grid; None for a tensor that something takes as it is."""
    grids: tuple[Grid | None, ...]


def bare(model: ov.Model, partition: Partition) -> ov.Model:
    """A copy of a bundle's model with results for its outputs only, in which the crossing tensors have the names of their results.

    A quantiser does not fold what has a result, nor does OpenVINO compute it in integers.
    """
    model = model.clone()
    results = {result.get_friendly_name(): result for result in model.get_results()}
    for point in partition.points.values():
        if point.name not in (INPUT, OUTPUT):
            for name in result_names(point):
                results[name].input_value(0).add_names({name})
    ends = [results[name] for name in result_names(partition.ends[1])]
    return ov.Model(ends, model.get_parameters(), model.get_friendly_name())


def crossings(model: ov.Model, partition: Partition) -> tuple[list[Crossing], list[str]]:
    """What crosses at the inner split points of a quantised graph, and the names of those that are not in it any more."""
    by_name = {
        name: value
        for node in model.get_ordered_ops()
        for value in node.outputs()
        for name in value.get_names()
    }
    found, lost = [], []
    for point in partition.points.values():
        if point.name in (INPUT, OUTPUT):
            continue
        values = [by_name.get(name) for name in result_names(point)]
        if any(value is None for value in values):
            lost.append(point.name)
            continue
        ends = [_quantised(value) for value in values if value is not None]
        found.append(
            Crossing(
                point,
                tuple(value for value in values if value is not None),
                tuple(end[0] if end else None for end in ends),
                tuple(end[1] if end else None for end in ends),
            )
        )
    return found, lost


def with_results(
    model: ov.Model, chosen: Sequence[tuple[Crossing, bool]], output: SplitPoint, name: str
) -> ov.Model:
    """The model of an int8 bundle: results at split points, quantised where chosen, and then its outputs."""
    results = []
    for crossing, as_symbols in chosen:
        for label, value, quantised in zip(
            result_names(crossing.point), crossing.values, crossing.quantised, strict=True
        ):
            results.append(_result(label, quantised if as_symbols and quantised is not None else value))
    ends = model.get_results()
    results += [
        _result(label, end.input_value(0)) for label, end in zip(result_names(output), ends, strict=True)
    ]
    return ov.Model(results, model.get_parameters(), name)


def _quantised(value: ov.Output) -> tuple[ov.Output, Grid] | None:
    """`value` as all its users take it, and its grid: they are FakeQuantize alike, one for each. None if it is not so."""
    if value.get_node().get_type_name() == "FakeQuantize":
        users = [value.get_node()]
    else:
        users = [user.get_node() for user in value.get_target_inputs()]
    if any(user.get_type_name() != "FakeQuantize" for user in users):
        return None
    if not users or not all(_alike(users[0], user) for user in users[1:]):
        return None
    grid = _grid(users[0])
    return (users[0].output(0), grid) if grid else None


def _grid(quantiser: ov.Node) -> Grid | None:
    ends = [quantiser.input_value(number).get_node() for number in range(1, 5)]
    if any(end.get_type_name() != "Constant" or np.size(end.data) != 1 for end in ends):
        return None
    low, high, out_low, out_high = (float(np.ravel(end.data)[0]) for end in ends)
    if (
        (low, high) != (out_low, out_high)
        or not low <= 0 <= high
        or quantiser.get_attributes()["levels"] != _LEVELS
    ):
        return None
    scale = float(np.float32((high - low) / (_LEVELS - 1)))
    if not np.finfo(np.float32).tiny <= scale:
        return None
    zero_point = -low / scale
    return Grid(scale, round(zero_point)) if abs(zero_point - round(zero_point)) <= _NEAR * _LEVELS else None


def _alike(one: ov.Node, other: ov.Node) -> bool:
    if one.get_attributes() != other.get_attributes():
        return False
    ends = [[node.input_value(number).get_node() for number in range(1, 5)] for node in (one, other)]
    return all(
        a.get_type_name() == b.get_type_name() == "Constant" and np.array_equal(a.data, b.data)
        for a, b in zip(*ends, strict=True)
    )


def _result(label: str, value: ov.Output) -> ov.Node:
    result = operations.result(value)
    result.set_friendly_name(label)
    return result
