"""Split points of a network, found in its torch.fx graph; no architecture is special-cased.

A split point is a place where exactly one tensor crosses: everything before it is the head, everything after it the tail. Values
that do not depend on the input (parameters, position tables) do not cross; each side has those that it needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import torch
from torch import fx
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils._python_dispatch import TorchDispatchMode
from torch.utils.flop_counter import flop_registry

from shared.limits import MAX_DIMENSION, MAX_ELEMENTS, MAX_RANK, MAX_SPLIT_POINT_BYTES
from shared.network.partition import INPUT, OUTPUT, Partition, SplitPoint
from shared.torch_network.graph import trace

if TYPE_CHECKING:
    from collections.abc import Iterable


class TorchPartition(Partition):
    """All split points of one module, and its halves, which share the module's parameters."""

    def __init__(self, module: torch.nn.Module, input_shape: tuple[int, ...]) -> None:
        """`input_shape`: (3, H, W). Traces the module, and runs it once on two pictures of zeros."""
        self.input_shape = input_shape
        self._network = module
        self._graph, paths = trace(module)
        measured = _GraphMeasurements(fx.GraphModule(module, self._graph))
        with torch.no_grad():
            measured.run(torch.zeros(2, *input_shape))
        self._nodes: dict[str, fx.Node] = {}
        super().__init__(self._find(paths, measured))
        self.outputs = (OUTPUT,)

    def head(self, point: SplitPoint) -> fx.GraphModule:
        """From the picture (B, 3, H, W) to the crossing tensor (B, *point.shape)."""
        return self.segment(self.points[INPUT], point)

    def tail(self, point: SplitPoint) -> fx.GraphModule:
        """From the crossing tensor (B, *point.shape) to the outputs, each (B, …)."""
        return self.segment(point, self.points[OUTPUT])

    def segment(self, start: SplitPoint, end: SplitPoint) -> fx.GraphModule:
        """From what crosses at `start` (B, *start.shape) to what crosses at `end` (B, *end.shape)."""
        return self._subgraph(self._nodes[start.name], [self._nodes[end.name]])

    def crossings(self) -> fx.GraphModule:
        """From the picture (B, 3, H, W) to a tuple of what crosses at every split point, in the order of `points`."""
        return self._subgraph(next(iter(self._graph.nodes)), [self._nodes[name] for name in self.points])

    def _output(self) -> fx.Node:
        node: fx.Node = next(iter(reversed(self._graph.nodes))).all_input_nodes[0]
        return node

    def _subgraph(self, start: fx.Node, ends: list[fx.Node]) -> fx.GraphModule:
        """The nodes that `ends` need when `start` is given. Several ends give a tuple."""
        needed, stack = set(), list(ends)
        while stack:
            node = stack.pop()
            if node not in needed:
                needed.add(node)
                if node is not start:
                    stack.extend(node.all_input_nodes)
        graph = fx.Graph()
        copies = {start: graph.placeholder("tensor")}
        for node in self._graph.nodes:
            if node in needed and node is not start:
                copies[node] = graph.node_copy(node, copies.__getitem__)
        values = tuple(copies[end] for end in ends)
        graph.output(values)
        return fx.GraphModule(self._network, graph)

    def _find(self, paths: dict[fx.Node, str], measured: _GraphMeasurements) -> Iterable[SplitPoint]:
        start, end = next(iter(self._graph.nodes)), self._output()
        total = measured.macs_before[end]
        for node in _sole_crossings(self._graph):
            name = INPUT if node is start else OUTPUT if node is end else paths[node]
            shape = measured.shapes.get(node)
            if shape is not None and _fits_the_wire(name, shape):
                done = measured.macs_before[node]
                self._nodes[name] = node
                yield SplitPoint(name, (shape,), done, total - done)


def _fits_the_wire(name: str, shape: tuple[int, ...]) -> bool:
    return (
        1 <= len(shape) <= MAX_RANK
        and max(shape) <= MAX_DIMENSION
        and torch.Size(shape).numel() <= MAX_ELEMENTS
        and len(name.encode()) <= MAX_SPLIT_POINT_BYTES
    )


def _sole_crossings(graph: fx.Graph) -> list[fx.Node]:
    """Nodes whose value is, at some point in the order of execution, the only one still needed later."""
    order = {node: index for index, node in enumerate(graph.nodes)}
    last_use = {node: max((order[user] for user in node.users), default=-1) for node in graph.nodes}
    constant: set[fx.Node] = set()
    open_values: set[fx.Node] = set()
    found: dict[fx.Node, None] = {}
    for node in graph.nodes:
        if node.op == "output":
            break
        if node.op != "placeholder" and all(argument in constant for argument in node.all_input_nodes):
            constant.add(node)
            continue
        open_values.add(node)
        open_values = {value for value in open_values if last_use[value] > order[node]}
        if len(open_values) == 1:
            found[next(iter(open_values))] = None
    return list(found)


class _WorkCounter(TorchDispatchMode):  # type: ignore[no-untyped-call]
    """Adds up the operations of everything that runs under it, by torch's own formulas.

    torch's FlopCounterMode does the same, but its first operation imports torch's compiler: a second, and 70 MB.
    """

    def __init__(self) -> None:
        super().__init__()  # type: ignore[no-untyped-call]
        self.operations = 0

    @classmethod
    def _should_skip_dynamo(cls) -> bool:
        return False  # nothing is compiled, so the compiler need not be told to keep out

    def __torch_dispatch__(
        self, func: Any, types: Any, args: tuple[Any, ...] = (), kwargs: dict[str, Any] | None = None
    ) -> Any:
        del types
        result = func(*args, **(kwargs or {}))
        formula = flop_registry.get(func.overloadpacket)
        if formula:
            self.operations += formula(*args, **(kwargs or {}), out_val=result)
        return result


class _GraphMeasurements(fx.Interpreter):
    """Runs the graph once on two pictures and records each value's shape and the work up to it."""

    def __init__(self, module: fx.GraphModule) -> None:
        super().__init__(module)
        self.shapes: dict[fx.Node, tuple[int, ...]] = {}
        self.macs_before: dict[fx.Node, int] = {}

    def run(self, *args: Any, **kwargs: Any) -> Any:
        # torch has no formulas for the fused attention kernels, only for the plain ones.
        fast_path = torch.backends.mha.get_fastpath_enabled()
        torch.backends.mha.set_fastpath_enabled(False)
        self._counter = _WorkCounter()
        try:
            with self._counter, sdpa_kernel(SDPBackend.MATH):
                return super().run(*args, **kwargs)
        finally:
            torch.backends.mha.set_fastpath_enabled(fast_path)

    def run_node(self, n: fx.Node) -> Any:
        value = super().run_node(n)
        self.macs_before[n] = self._counter.operations // 2 // 2  # two pictures; two operations each
        if (
            isinstance(value, torch.Tensor)
            and value.dtype == torch.float32
            and value.ndim > 1
            and len(value) == 2
        ):
            self.shapes[n] = tuple(value.shape[1:])
        return value
