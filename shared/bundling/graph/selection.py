"""What a graph computes of boxes that it has selected itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.bundling.graph.reading import Graph

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.bundling.graph.points import Place
    from shared.engines.openvino.runtime import ov

_SELECTING = ("NonMaxSuppression", "MulticlassNms", "MatrixNms")


def before_selection(model: ov.Model, places: Sequence[Place]) -> list[Place]:
    """Those of `places` at which nothing crosses that hangs on a selection.

    Which boxes are selected is decided by rounding where two are nearly as good. So what crosses behind the selection is not the
    same on every machine, and could not be checked there.
    """
    selected = _selected(Graph(model))
    return [place for place in places if not any(selected[number] for number, _ in place.values)]


def selected_outputs(model: ov.Model, outputs: int) -> tuple[int, ...]:
    """The numbers of those of the last `outputs` results that hang on a selection and have as many rows as the first such."""
    graph = Graph(model)
    selected = _selected(graph)
    found: dict[int, object] = {}
    for number, result in enumerate(model.get_results()[-outputs:]):
        shape = result.get_output_partial_shape(0)
        if selected[graph.number(result)] and len(shape) > 1:
            found[number] = str(shape[1])
    first = next(iter(found.values()), None)
    return tuple(number for number, rows in found.items() if rows == first)


def _selected(graph: Graph) -> list[bool]:
    """For each operation, whether its values hang on a selection."""
    found: list[bool] = []
    for name, inputs in zip(graph.types, graph.inputs, strict=True):
        found.append(name.startswith(_SELECTING) or any(found[number] for number, _ in inputs))
    return found
