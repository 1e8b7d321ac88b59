"""What identifies a network: its graph and constants in canonical form, without names and files.

Two machines that convert one source agree on it, though their files differ.
"""

from __future__ import annotations

import hashlib
import json
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.limits import FINGERPRINT_BYTES

if TYPE_CHECKING:
    from shared.engines.openvino.runtime import ov
    from shared.network.recipe import Recipe

_FORM = b"splitdnn graph 1"


def fingerprint_of(model: ov.Model, outputs: int, recipe: Recipe) -> bytes:
    """8 bytes of SHA-256 over the recipe and what the last `outputs` results need. Results at split points do not count."""
    total = hashlib.sha256(_FORM)
    total.update(_digest(recipe.canonical().encode()))
    numbers: dict[str, int] = {}
    for result in model.get_results()[-outputs:]:
        for node in _in_order(result.input_value(0).get_node(), numbers):
            total.update(_described(node, numbers))
        total.update(_edge(result.input_value(0), numbers))
    return total.digest()[:FINGERPRINT_BYTES]


def _in_order(end: ov.Node, numbers: dict[str, int]) -> list[ov.Node]:
    """The operations before `end` that have no number yet, each after its inputs and the first input first; numbers them."""
    found: list[ov.Node] = []
    stack = [(end, False)]
    while stack:
        node, is_complete = stack.pop()
        if node.get_name() in numbers:
            continue
        if is_complete:
            numbers[node.get_name()] = len(numbers)
            found.append(node)
            continue
        stack.append((node, True))
        stack.extend((source.get_node(), False) for source in reversed(node.input_values()))
    return found


def _described(node: ov.Node, numbers: dict[str, int]) -> bytes:
    kind = node.get_type_name()
    parts = [kind.encode(), b"".join(_edge(source, numbers) for source in node.input_values())]
    if kind == "Constant":
        parts += [str(node.get_element_type()).encode(), str(list(node.get_output_shape(0))).encode(), _digest(_bytes(node))]
    else:
        parts.append(json.dumps(_attributes(node), sort_keys=True, default=str).encode())
    return _digest(b"\\0".join(map(_digest, parts)))


def _attributes(node: ov.Node) -> dict[str, Any]:
    return dict(node.get_attributes())


def _edge(source: ov.Output, numbers: dict[str, int]) -> bytes:
    return f"{numbers[source.get_node().get_name()]}:{source.get_index()};".encode()


def _bytes(constant: ov.Node) -> bytes:
    return np.ascontiguousarray(constant.get_data()).tobytes()


def _digest(data: bytes) -> bytes:
    return hashlib.sha256(data).digest()
