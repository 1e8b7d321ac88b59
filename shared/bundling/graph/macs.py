"""Multiply-accumulate operations of a graph, by the formulas that torch's own counter uses."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from shared.bundling.graph.reading import Graph, Shape

    Formula = Callable[[list[Shape], Shape], int]
    """From the shapes of the inputs and of the first output."""


def _convolution(inputs: list[Shape], output: Shape) -> int:
    return output[0] * math.prod(output[2:]) * math.prod(inputs[1])


def _deconvolution(inputs: list[Shape], output: Shape) -> int:
    del output
    return inputs[0][0] * math.prod(inputs[0][2:]) * math.prod(inputs[1])


def _deformable(inputs: list[Shape], output: Shape) -> int:
    return output[0] * math.prod(output[2:]) * math.prod(inputs[2])


def _attention(inputs: list[Shape], output: Shape) -> int:
    query, key, value = inputs[:3]
    return math.prod(output[:-2]) * query[-2] * key[-2] * (query[-1] + value[-1])


_FORMULAS: dict[str, Formula] = {
    "Convolution": _convolution,
    "GroupConvolution": _convolution,
    "BinaryConvolution": _convolution,
    "ConvolutionBackpropData": _deconvolution,
    "GroupConvolutionBackpropData": _deconvolution,
    "DeformableConvolution": _deformable,
    "ScaledDotProductAttention": _attention,
}


def work_before(graph: Graph, shapes: Sequence[Sequence[Shape | None]]) -> list[int]:
    """For each operation, the MACs up to and including it. `shapes` are those for one picture, from `shapes_at`.

    Only operations on the picture count. One whose shapes depend on the picture's content counts as nothing.
    """
    total = 0
    totals: list[int] = []
    for number, name in enumerate(graph.types):
        if graph.on_picture[number]:
            inputs = [shapes[source][port] for source, port in graph.inputs[number]]
            output = shapes[number][0] if shapes[number] else None
            if output is not None and None not in inputs:
                total += _work(graph, number, name, [each or () for each in inputs], output)
        totals.append(total)
    return totals


def _work(graph: Graph, number: int, name: str, inputs: list[Shape], output: Shape) -> int:
    if name == "MatMul":
        transposed = graph.operations[number].get_attributes()["transpose_a"]
        left = inputs[0]
        inner = left[-1] if len(left) == 1 else left[-2 if transposed else -1]
        return math.prod(output) * inner
    if name == "Einsum":
        return _einsum(graph.operations[number].get_attributes()["equation"], inputs)
    formula = _FORMULAS.get(name)
    return formula(inputs, output) if formula else 0


def _einsum(equation: str, inputs: list[Shape]) -> int:
    """Every combination of all letters is one multiplication, if two tensors are multiplied."""
    if len(inputs) < 2:
        return 0
    sizes: dict[str, int] = {}
    spread = 1
    for letters, shape in zip(equation.replace(" ", "").partition("->")[0].split(","), inputs, strict=True):
        before, dots, after = letters.partition("...")
        middle = len(shape) - len(after) if dots else len(before)
        sizes.update(zip(before, shape, strict=False))
        sizes.update(zip(after, shape[middle:], strict=False))
        spread = max(spread, math.prod(shape[len(before) : middle]))
    return spread * math.prod(sizes.values())
