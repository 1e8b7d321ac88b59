"""Split points of a module, found in its torch.fx graph; no architecture is special-cased.

A split point is a place where exactly one tensor crosses: everything before it is the head, everything after it the tail. Values
that do not depend on the picture (parameters, position tables) do not cross; each side has those that it needs.
"""

from __future__ import annotations

import itertools
import math
import warnings
from typing import TYPE_CHECKING

import torch
from torch import fx

from shared.errors import ModelError
from shared.limits import MAX_DIMENSION, MAX_ELEMENTS, MAX_RANK, MAX_SPLIT_POINT_BYTES
from shared.network.partition import INPUT, OUTPUT, Partition, SplitPoint
from shared.torch_network.graph.ends import constants, expand, output_shape, outputs_of, settle, shape_of
from shared.torch_network.graph.in_place import without_writing
from shared.torch_network.graph.measuring import Measurements
from shared.torch_network.graph.outputs import flatten
from shared.torch_network.graph.shapes import fold_shapes
from shared.torch_network.graph.tracing import trace
from shared.torch_network.messages import reason

if TYPE_CHECKING:
    from collections.abc import Iterable, Iterator

_TOLERANCE = 1e-3
"""Largest difference between graph and module, as a share of the largest output. torch has several kernels for attention."""


class TorchPartition(Partition):
    """All split points of one module, and its halves, which share the module's parameters."""

    outputs: tuple[str, ...]
    """The path of each output in what the module returns: `out`, `features.0`; `output` for the only one."""
    notes: tuple[str, ...]
    """Submodules that cannot be cut inside and outputs that are left out, a line each."""

    def __init__(self, module: torch.nn.Module, input_shape: tuple[int, ...]) -> None:
        """`input_shape`: (3, H, W). Traces the module, runs it on a few pictures, and compares the graph with the module.

        Raises ModelError if torch.fx cannot trace it, or its graph computes otherwise.
        """
        self.input_shape = input_shape
        self._network = module
        try:
            with warnings.catch_warnings(), torch.no_grad():
                warnings.simplefilter("ignore")  # of tracers, about what the comparison below finds out
                self._build()
        except ModelError:
            raise
        except Exception as error:
            raise ModelError(f"torch.fx cannot trace this network: {reason(error)}") from error

    def _build(self) -> None:
        traced = trace(self._network, self.input_shape)
        self._graph, self.notes = traced.graph, traced.notes
        without_writing(self._graph, dict(self._network.named_modules()))
        ends = dict(zip(traced.outputs, outputs_of(self._graph), strict=True))
        two = self._measured(2)
        if expand(self._graph, ends, two):
            two = self._measured(2)
        one = self._measured(1)
        self._batch = fold_shapes(self._graph, two, one)
        self._constant = constants(self._graph, self._batch)
        returned = ends
        ends = settle(self._graph, ends, self._constant, two, one)
        left_out = [path for path, node in returned.items() if path not in ends and node in two.tensors]
        self.notes += tuple(
            f"the output {_shown(path)} is the same for every picture; it is left out"
            for path in (*left_out, *traced.fixed)
        )
        self._ends = list(ends.values())
        self.outputs = tuple(map(_shown, ends))
        self._graph.eliminate_dead_code(lambda node: node.op in {"placeholder", "output"})
        self._nodes: dict[str, fx.Node] = {}
        super().__init__(self._find(traced.paths, two, one))
        self._compare(list(ends))

    def head(self, point: SplitPoint) -> fx.GraphModule:
        """From the picture (B, 3, H, W) to what crosses at `point`, each (B, *shape)."""
        return self.segment(self.points[INPUT], point)

    def tail(self, point: SplitPoint) -> fx.GraphModule:
        """From the crossing tensor (B, *point.shape) to the outputs, each (B, …)."""
        return self.segment(point, self.points[OUTPUT])

    def segment(self, start: SplitPoint, end: SplitPoint) -> fx.GraphModule:
        """From the tensor that crosses at `start` to a tuple of what crosses at `end`."""
        if start.name == OUTPUT:
            return self._outputs_themselves()
        ends = self._ends if end.name == OUTPUT else [self._nodes[end.name]]
        return self._subgraph(self._nodes[start.name], ends)

    def _outputs_themselves(self) -> fx.GraphModule:
        graph = fx.Graph()
        graph.output(tuple(graph.placeholder(f"output_{index}") for index in range(len(self._ends))))
        return fx.GraphModule(self._network, graph)

    def crossings(self) -> fx.GraphModule:
        """From the picture (B, 3, H, W) to a tuple of what crosses at every split point, in their order, then the outputs."""
        inner = [node for name, node in self._nodes.items() if name != OUTPUT]
        return self._subgraph(self._batch.picture, inner + self._ends)

    def _pictures(self, batch: int) -> torch.Tensor:
        return torch.randn(batch, *self.input_shape, generator=torch.Generator().manual_seed(batch))

    def _measured(self, batch: int) -> Measurements:
        measured = Measurements(fx.GraphModule(self._network, self._graph))
        measured.run(self._pictures(batch))
        return measured

    def _compare(self, paths: list[str]) -> None:
        """Raise ModelError if the graph, on a batch of another size, computes otherwise than the module."""
        pictures = self._pictures(3 if self._batch.is_used else 1)
        found = self.segment(*self.ends)(pictures)
        returned = flatten(self._network(pictures), torch.Tensor)
        for path, value in zip(paths, found, strict=True):
            wanted = returned.get(path)
            if wanted is None or wanted.shape != value.shape or not _is_close(value, wanted.float()):
                raise ModelError(
                    f"torch.fx traces this network to a graph that computes another {_shown(path)} than the network: "
                    "its code does what a graph cannot"
                )

    def _subgraph(self, start: fx.Node, ends: list[fx.Node]) -> fx.GraphModule:
        """The nodes that `ends` need when `start` is given; the batch, too, is then that of `start`."""
        needed, stack = set(), list(ends)
        while stack:
            node = stack.pop()
            if node not in needed:
                needed.add(node)
                if node is not start:
                    stack.extend(each for each in node.all_input_nodes if each is not self._batch.picture)
        graph = fx.Graph()
        copies = {self._batch.picture: graph.placeholder("tensor")}
        copies[start] = copies[self._batch.picture]
        for node in self._graph.nodes:
            if node in needed and node not in copies:
                copies[node] = graph.node_copy(node, copies.__getitem__)
        graph.output(tuple(copies[end] for end in ends))
        return fx.GraphModule(self._network, graph)

    def _find(self, paths: dict[fx.Node, str], two: Measurements, one: Measurements) -> Iterator[SplitPoint]:
        total = _macs(
            two.operations_before[max(two.operations_before, key=two.operations_before.__getitem__)]
        )
        for node in self._sole_crossings():
            shape = shape_of(node, two, one)
            name = INPUT if node is self._batch.picture else self._unused(paths[node])
            if shape is not None and two.tensors[node][1] == torch.float32 and _fits_the_wire(name, shape):
                done = _macs(two.operations_before[node])
                self._nodes[name] = node
                yield SplitPoint(name, (shape,), done, total - done)
        shapes = tuple(output_shape(node, two, one) for node in self._ends)
        yield SplitPoint(OUTPUT, shapes, total, 0)

    def _unused(self, name: str) -> str:
        """`name`, or the first of `name_1`, `name_2`, … that no other split point has."""
        taken = {*self._nodes, INPUT, OUTPUT}
        return (
            name
            if name not in taken
            else next(other for number in itertools.count(1) if (other := f"{name}_{number}") not in taken)
        )

    def _sole_crossings(self) -> Iterable[fx.Node]:
        """Nodes whose value is, at some point in the order of execution, the only one still needed later; without the outputs."""
        order = {node: index for index, node in enumerate(self._graph.nodes)}
        last_use = {node: max((order[user] for user in node.users), default=-1) for node in self._graph.nodes}
        open_values: set[fx.Node] = set()
        found: dict[fx.Node, None] = {}
        for node in self._graph.nodes:
            if node.op == "output":
                break
            if node in self._constant:
                continue
            open_values = {value for value in (*open_values, node) if last_use[value] > order[node]}
            if len(open_values) == 1:
                found[next(iter(open_values))] = None
        return [node for node in found if node not in self._ends or len(self._ends) > 1]


def _shown(path: str) -> str:
    return path if path and not path[0].isdigit() else "_".join(filter(None, (OUTPUT, path)))


def _macs(operations: int) -> int:
    return operations // 2 // 2  # two pictures; two operations each


def _is_close(value: torch.Tensor, wanted: torch.Tensor) -> bool:
    largest = wanted.nan_to_num(posinf=0, neginf=0).abs().amax().item() if wanted.numel() else 0.0
    return torch.allclose(value, wanted, rtol=_TOLERANCE, atol=_TOLERANCE * largest, equal_nan=True)


def _fits_the_wire(name: str, shape: tuple[int, ...]) -> bool:
    return (
        1 <= len(shape) <= MAX_RANK
        and max(shape) <= MAX_DIMENSION
        and math.prod(shape) <= MAX_ELEMENTS
        and len(name.encode()) <= MAX_SPLIT_POINT_BYTES
    )
