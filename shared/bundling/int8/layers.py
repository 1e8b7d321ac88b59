"""The layers of a graph that can be left in float, as stretches of it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.bundling.graph.reading import Graph

if TYPE_CHECKING:
    from shared.engines.openvino.runtime import ov

_WEIGHTED = (
    "Convolution",
    "GroupConvolution",
    "ConvolutionBackpropData",
    "GroupConvolutionBackpropData",
    "DeformableConvolution",
    "MatMul",
)
"""Operations that an int8 network computes in whole numbers."""
_NEVER = ("Parameter", "Constant", "Result")


def name_apart(model: ov.Model) -> None:
    """Give every operation a name of its own, as quantisers know them by their names."""
    taken: set[str] = set()
    for node in model.get_ordered_ops():
        name = node.get_friendly_name()
        if name in taken:
            name = next(
                new for number in range(1, len(taken) + 2) if (new := f"{name}#{number}") not in taken
            )
            node.set_friendly_name(name)
        taken.add(name)


class Layers:
    """The operations of a model that compute on the picture, by name."""

    def __init__(self, model: ov.Model) -> None:
        graph = Graph(model)
        on_picture = [
            number
            for number, (kind, looks) in enumerate(zip(graph.types, graph.on_picture, strict=True))
            if looks and kind not in _NEVER
        ]
        self._names = {number: graph.operations[number].get_friendly_name() for number in on_picture}
        self._weighted = [number for number in on_picture if graph.types[number] in _WEIGHTED]
        behind: set[int] = set()
        """Operations that depend on a weighted one."""
        for number in on_picture:
            if any(source in behind or source in self._weighted for source, _ in graph.inputs[number]):
                behind.add(number)
        self.first = tuple(self._names[number] for number in self._weighted if number not in behind)
        """The weighted layers that see the picture with nothing weighted before them."""
        ahead: set[int] = set()
        """Operations on which a weighted one depends."""
        for number in reversed(on_picture):
            if number in ahead or number in self._weighted:
                ahead.update(source for source, _ in graph.inputs[number])
        self.last = tuple(self._names[number] for number in self._weighted if number not in ahead)
        """The weighted layers that give the outputs, with nothing weighted behind them."""
        self.attends = (
            any(
                graph.types[number] == "MatMul"
                and sum(graph.on_picture[source] for source, _ in graph.inputs[number]) > 1
                for number in self._weighted
            )
            or "ScaledDotProductAttention" in graph.types
        )
        """Whether it multiplies what it has computed with what it has computed, as transformers do."""

    @property
    def weighted(self) -> tuple[str, ...]:
        """The names of the layers with weights, in order of execution."""
        return tuple(self._names[number] for number in self._weighted)

    def stretches(self, count: int) -> list[tuple[str, ...]]:
        """The network in at most `count` stretches with as many weighted layers each: the names of all their operations, in order."""
        count = min(count, len(self._weighted))
        if not count:
            return []
        starts = [self._weighted[number * len(self._weighted) // count] for number in range(count)]
        starts[0] = 0
        ends = [*starts[1:], max(self._names) + 1]
        return [
            tuple(name for number, name in self._names.items() if start <= number < end)
            for start, end in zip(starts, ends, strict=True)
        ]
