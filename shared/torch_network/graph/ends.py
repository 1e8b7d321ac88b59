"""The outputs of a graph: one float32 tensor each, with a row for each picture."""

from __future__ import annotations

import operator
from typing import TYPE_CHECKING

import torch

from shared.errors import ModelError

if TYPE_CHECKING:
    from torch import fx

    from shared.torch_network.graph.measuring import Measurements
    from shared.torch_network.graph.shapes import Batch

Shape = tuple[int, ...]


def outputs_of(graph: fx.Graph) -> list[fx.Node]:
    """The nodes that the graph returns."""
    return list(_output(graph).args[0])  # type: ignore[arg-type]


def expand(graph: fx.Graph, ends: dict[str, fx.Node], measured: Measurements) -> bool:
    """Replace each output that is a tuple of tensors (what `chunk` gives) by its tensors. Whether there was any."""
    found = {}
    with graph.inserting_before(_output(graph)):
        for path, node in ends.items():
            value = measured.others.get(node)
            if isinstance(value, tuple):
                for index, item in enumerate(value):
                    if item is torch.Tensor:
                        name = f"{path}.{index}" if path else str(index)
                        found[name] = graph.call_function(operator.getitem, (node, index))
            else:
                found[path] = node
    if found == ends:
        return False
    ends.clear()
    ends.update(found)
    _set_outputs(graph, ends)
    return True


def settle(
    graph: fx.Graph, ends: dict[str, fx.Node], constant: set[fx.Node], two: Measurements, one: Measurements
) -> dict[str, fx.Node]:
    """Make the graph return those of `ends` that are tensors that depend on the picture, as float32. Raises ModelError."""
    kept = {}
    for path, node in ends.items():
        if node not in two.tensors or node in constant:
            continue
        shape, kind = two.tensors[node]
        if shape_of(node, two, one) is None:
            raise ModelError(
                f"the network's output {repr(path) + ' ' if path else ''}has the shape {shape} for two pictures; accepted: outputs with a row "
                "for each picture"
            )
        if kind != torch.float32:
            with graph.inserting_before(_output(graph)):
                node = graph.call_method("float", (node,))  # noqa: PLW2901 - the same output
        kept[path] = node
    if not kept:
        raise ModelError("the network returns no tensor that depends on the picture")
    _set_outputs(graph, kept)
    return kept


def _output(graph: fx.Graph) -> fx.Node:
    node: fx.Node = next(iter(reversed(graph.nodes)))
    return node


def _set_outputs(graph: fx.Graph, ends: dict[str, fx.Node]) -> None:
    _output(graph).args = (tuple(ends.values()),)


def shape_of(node: fx.Node, two: Measurements, one: Measurements) -> Shape | None:
    """The node's shape without the batch, or None if its rows are not the pictures. The two ran the graph on as many pictures."""
    (shape, _), (other, _) = two.tensors.get(node, ((), None)), one.tensors.get(node, ((), None))
    if not shape or not other or (shape[0], other[0]) != (2, 1) or shape[1:] != other[1:]:
        return None
    return shape[1:]


def output_shape(node: fx.Node, two: Measurements, one: Measurements) -> Shape:
    """The shape of an output without the batch."""
    measured = node if node in two.tensors else node.all_input_nodes[0]  # before it became float32
    return shape_of(measured, two, one) or ()


def constants(graph: fx.Graph, batch: Batch) -> set[fx.Node]:
    """The nodes whose values depend on no picture, but for how many there are."""
    found = set(batch.nodes)
    for node in graph.nodes:
        if node.op != "placeholder" and all(each in found for each in node.all_input_nodes):
            found.add(node)
    return found
