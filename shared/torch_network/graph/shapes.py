"""Numbers that a network computes from its values' shapes, as functions of the batch alone.

The size of the input is fixed, so that each such number is a constant or grows with the batch. Then none of them needs to cross
where the network is cut: each side takes the batch from the tensor that it is given.
"""

from __future__ import annotations

import builtins
from typing import TYPE_CHECKING, Any

import torch
from torch import fx

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.torch_network.graph.measuring import Measurements

_ABOUT_SHAPES = frozenset(
    {"size", "dim", "ndimension", "numel", "nelement", "stride", "is_floating_point", "is_contiguous"}
)
"""Methods whose result depends on no element of a tensor."""


class Batch:
    """The nodes of a graph that stand for the batch, the device and the type of the graph's input."""

    def __init__(self, graph: fx.Graph) -> None:
        self._graph = graph
        self.picture = next(iter(graph.nodes))
        with graph.inserting_after(self.picture):
            self._size = graph.call_method("size", (self.picture, 0))
        self.nodes = {self._size}
        """They can be computed from any tensor that crosses."""
        self._last = self._size
        self._made: dict[Any, fx.Node] = {}

    @property
    def is_used(self) -> bool:
        """Whether the network's code uses the number of pictures."""
        return bool(self._size.users)

    def times(self, factor: int, more: int) -> fx.Node:
        """`batch * factor + more`."""
        value = self._size
        if factor != 1:
            value = self._make(
                ("times", factor), lambda: self._graph.call_function(_times, (self._size, factor))
            )
        if more:
            product = value
            value = self._make(
                ("plus", factor, more), lambda: self._graph.call_function(_plus, (product, more))
            )
        return value

    def attribute(self, name: str) -> fx.Node:
        """`device` or `dtype` of the input."""
        return self._make(name, lambda: self._graph.call_function(builtins.getattr, (self.picture, name)))

    def _make(self, key: Any, make: Callable[[], fx.Node]) -> fx.Node:
        if key not in self._made:
            with self._graph.inserting_after(self._last):
                self._made[key] = self._last = make()
            self.nodes.add(self._last)
        return self._made[key]


def _times(batch: Any, factor: float) -> Any:
    return batch * factor


def _plus(number: Any, more: float) -> Any:
    return number + more


def fold_shapes(graph: fx.Graph, two: Measurements, one: Measurements) -> Batch:
    """Replace, in the arguments of `graph`, all numbers that follow from shapes. `two` and `one` ran it on as many pictures."""
    batch = Batch(graph)
    static: set[fx.Node] = set()
    replacement: dict[fx.Node, Any] = {}
    for node in graph.nodes:
        if node in two.others and _is_static(node, static):
            static.add(node)
            try:
                replacement[node] = _as_function(two.others[node], one.others[node], batch)
            except _NoFunctionError:
                continue
    for node in graph.nodes:
        node.args = _replaced(node.args, replacement)
        node.kwargs = _replaced(node.kwargs, replacement)
    return batch


def _replaced(argument: Any, replacement: dict[fx.Node, Any]) -> Any:
    return fx.node.map_aggregate(
        argument, lambda each: replacement.get(each, each) if isinstance(each, fx.Node) else each
    )


def _is_static(node: fx.Node, static: set[fx.Node]) -> bool:
    if node.op == "call_function" and node.target is builtins.getattr:
        return True  # an attribute that is no tensor
    if node.op == "call_method" and node.target in _ABOUT_SHAPES:
        return True
    inputs = node.all_input_nodes
    return (
        node.op in {"call_function", "call_method"}
        and bool(inputs)
        and all(each in static for each in inputs)
    )


class _NoFunctionError(Exception):
    """The value is not a function of the batch that a graph can hold."""


def _as_function(two: Any, one: Any, batch: Batch) -> Any:
    if isinstance(two, tuple | list) and isinstance(one, tuple | list) and len(two) == len(one):
        return tuple(_as_function(*pair, batch) for pair in zip(two, one, strict=True))
    if isinstance(two, torch.device):
        return batch.attribute("device")
    if two is torch.float32:
        return batch.attribute("dtype")
    if type(two) is not type(one):
        raise _NoFunctionError
    if isinstance(two, bool | str | torch.dtype | None) and two == one:
        return two
    if isinstance(two, int | float) and not isinstance(two, bool):
        return two if two == one else batch.times(two - one, 2 * one - two)
    raise _NoFunctionError
