"""What identifies a network: its recipe, graph and constants in canonical form, without names and files.

Two machines that convert one source with the same packages agree on it, whatever their files look like.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.limits import FINGERPRINT_BYTES

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.engines.openvino.runtime import ov
    from shared.network.recipe import Recipe

_FORM = b"splitdnn graph 1"
_CONDITION = "If"
_BODY_INPUT = "body_parameter_index"
_PORT_FIELDS = (
    "input_index", "output_index", _BODY_INPUT, "body_value_index", "iteration", "axis", "start", "stride", "part_size", "end",
)  # fmt: skip
"""What describes a port in OpenVINO; each kind of port has some of them."""


def fingerprint_of(model: ov.Model, outputs: int, recipe: Recipe) -> bytes:
    """8 bytes of SHA-256 over the recipe and what the last `outputs` results need. Results at split points do not count."""
    parts = [_FORM, recipe.canonical().encode(), _graph(model.get_results()[-outputs:], {})]
    return _digest(parts)[:FINGERPRINT_BYTES]


def _graph(results: Sequence[ov.Node], numbers: dict[str, int]) -> bytes:
    """Every operation in the order of a depth-first search from the results, then the results' sources. Fills `numbers`."""
    parts = []
    for result in results:
        parts += [_operation(node, numbers) for node in _numbered(result.input_value(0).get_node(), numbers)]
    return _digest([*parts, *(_source(result.input_value(0), numbers) for result in results)])


def _numbered(end: ov.Node, numbers: dict[str, int]) -> list[ov.Node]:
    """The operations up to `end` that have no number yet, each after its inputs, the first input first; numbers them."""
    found: list[ov.Node] = []
    stack = [(end, False)]
    while stack:
        node, has_inputs = stack.pop()
        if node.get_name() in numbers:
            continue
        if has_inputs:
            numbers[node.get_name()] = len(numbers)
            found.append(node)
            continue
        stack.append((node, True))
        stack.extend((source.get_node(), False) for source in reversed(node.input_values()))
    return found


def _operation(node: ov.Node, numbers: dict[str, int]) -> bytes:
    parts: list[bytes | memoryview] = [
        node.get_type_name().encode(),
        json.dumps(dict(node.get_attributes()), sort_keys=True, default=str).encode(),
        *(_source(source, numbers) for source in node.input_values()),
    ]
    if node.get_type_name() == "Constant":
        parts.append(np.ascontiguousarray(node.data).reshape(-1).view(np.uint8).data)
    for number, body in enumerate(_bodies(node)):
        inside: dict[str, int] = {}
        parts.append(_graph(body.get_results(), inside))
        parts.append(json.dumps(_ports(node, number, body, inside)).encode())
    return _digest(parts)


def _bodies(node: Any) -> list[ov.Model]:
    """The graphs that an operation runs, which its attributes do not show: a loop's, or the two of a condition."""
    if node.get_type_name() == _CONDITION:
        return [node.get_function(0), node.get_function(1)]
    return [node.get_function()] if hasattr(node, "get_function") else []


def _ports(node: Any, number: int, body: ov.Model, inside: dict[str, int]) -> list[object]:
    """How the inputs and outputs of `node` belong to those of its body `number`. A body's inputs count by their numbers in `inside`."""
    which = (number,) if node.get_type_name() == _CONDITION else ()
    inputs = [
        inside.get(each.get_name(), -1) for each in body.get_parameters()
    ]  # -1: the body does not use it
    found: list[object] = []
    if hasattr(node, "get_special_body_ports"):
        iteration, condition = node.get_special_body_ports()
        found.append([inputs[iteration] if iteration >= 0 else None, condition])
    return found + sorted(
        [
            type(port).__name__,
            *(
                inputs[value] if name == _BODY_INPUT else value
                for name in _PORT_FIELDS
                if (value := getattr(port, name, None)) is not None
            ),
        ]
        for port in (*node.get_input_descriptions(*which), *node.get_output_descriptions(*which))
    )


def _source(source: ov.Output, numbers: dict[str, int]) -> bytes:
    return f"{numbers[source.get_node().get_name()]}:{source.get_index()}".encode()


def _digest(parts: Sequence[bytes | memoryview]) -> bytes:
    """SHA-256 of parts that may have any content: each counts with its length."""
    total = hashlib.sha256()
    for part in parts:
        total.update(len(part).to_bytes(8, "little"))
        total.update(part)
    return total.digest()
