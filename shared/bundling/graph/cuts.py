"""All places of a graph where one tensor crosses."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.bundling.graph.reading import Graph, Value


def sole_crossings(graph: Graph, outputs: int) -> dict[Value, int]:
    """Values through which everything flows from the picture to the last `outputs` results, in order of execution; for each, the
    number of an operation after which it is the only one still needed.

    It does not matter which order that is: whatever is computed on the picture comes either before such a value or after it.
    """
    last_use = {value: users[-1] for value, users in uses(graph, outputs).items()}
    open_values: set[Value] = set()
    found: dict[Value, int] = {}
    for number, on_picture in enumerate(graph.on_picture):
        if not on_picture or graph.types[number] == "Result":
            continue
        for port in range(graph.operations[number].get_output_size()):
            if (number, port) in last_use:
                open_values.add((number, port))
        open_values = {value for value in open_values if last_use[value] > number}
        if len(open_values) == 1:
            found.setdefault(next(iter(open_values)), number)
    return found


def uses(graph: Graph, outputs: int) -> dict[Value, list[int]]:
    """By value, the operations on the picture that need it, in order. What the network returns is needed at the end, by a number
    that no operation has.
    """
    found: dict[Value, list[int]] = {}
    for number, inputs in enumerate(graph.inputs):
        if graph.on_picture[number] and graph.types[number] != "Result":
            for value in dict.fromkeys(inputs):
                found.setdefault(value, []).append(number)
    for result in graph.model.get_results()[-outputs:]:
        users = found.setdefault(graph.inputs[graph.number(result)][0], [])
        if users[-1:] != [len(graph.operations)]:
            users.append(len(graph.operations))
    return found
