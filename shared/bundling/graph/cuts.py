"""All places of a graph where one tensor crosses."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.bundling.graph.reading import Graph, Value


def sole_crossings(graph: Graph, outputs: int) -> list[Value]:
    """Values through which everything flows from the picture to the last `outputs` results, in order of execution.

    A value is one of them if it is, at some point in the order, the only one still needed later. It does not matter which order
    that is: whatever is computed on the picture comes either before such a value or after it.
    """
    last_use = _last_uses(graph, outputs)
    open_values: set[Value] = set()
    found: dict[Value, None] = {}
    for number, on_picture in enumerate(graph.on_picture):
        if not on_picture or graph.types[number] == "Result":
            continue
        for port in range(graph.operations[number].get_output_size()):
            if (number, port) in last_use:
                open_values.add((number, port))
        open_values = {value for value in open_values if last_use[value] > number}
        if len(open_values) == 1:
            found[next(iter(open_values))] = None
    return list(found)


def _last_uses(graph: Graph, outputs: int) -> dict[Value, int]:
    """By value, the last operation that needs it. What the network returns is needed to the end."""
    last: dict[Value, int] = {}
    for number, inputs in enumerate(graph.inputs):
        if graph.on_picture[number] and graph.types[number] != "Result":
            last.update(dict.fromkeys(inputs, number))
    for result in graph.model.get_results()[-outputs:]:
        last[graph.inputs[graph.number(result)][0]] = len(graph.operations)
    return last
