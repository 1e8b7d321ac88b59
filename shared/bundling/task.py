"""What a network's outputs mean, as far as its graph tells."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.tasks.spec import TaskSpec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.engines.openvino.runtime import ov
    from shared.network.partition import Shape

_PASSED = ("Convert", "Reshape", "Squeeze", "Unsqueeze")
_ACTIVATIONS = ("Softmax", "Sigmoid", "HSigmoid")


def task_of(model: ov.Model, shapes: Sequence[Shape]) -> TaskSpec:
    """`classify` for one output (K,), else `raw`. `shapes` are the outputs', without the batch dimension."""
    if len(shapes) != 1 or len(shapes[0]) != 1:
        return TaskSpec("raw", "none")
    node = model.get_results()[-1].input_value(0).get_node()
    while node.get_type_name() in _PASSED:
        node = node.input_value(0).get_node()
    if node.get_type_name() in _ACTIVATIONS:
        return TaskSpec("classify", "none")
    return TaskSpec("classify", "sigmoid" if shapes[0] == (1,) else "softmax")
