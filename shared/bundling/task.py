"""What a network's outputs mean, as far as its graph tells, and the names of its classes."""

from __future__ import annotations

import math
from typing import TYPE_CHECKING

from shared.errors import ModelError
from shared.tasks.spec import TaskSpec

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.bundling.sources.source import Source
    from shared.engines.openvino.runtime import ov
    from shared.network.partition import Shape

_PASSED = ("Convert", "Reshape", "Squeeze", "Unsqueeze")
_ACTIVATIONS = ("Softmax", "Sigmoid", "HSigmoid")


def task_of(model: ov.Model, shapes: Sequence[Shape]) -> TaskSpec:
    """`classify` for one output (K,) or (K, 1, 1), else `raw`. `shapes` are the outputs', without the batch dimension."""
    if len(shapes) != 1 or math.prod(shapes[0]) != max(shapes[0]):
        return TaskSpec("raw", "none")
    node = model.get_results()[-1].input_value(0).get_node()
    while node.get_type_name() in _PASSED:
        node = node.input_value(0).get_node()
    if node.get_type_name() in _ACTIVATIONS:
        return TaskSpec("classify", "none")
    return TaskSpec("classify", "sigmoid" if max(shapes[0]) == 1 else "softmax")


def labels_for(
    source: Source, task: TaskSpec, shapes: Sequence[Shape], given: str | None
) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """One name for each class of a classifier, and notes. Other tasks keep the names that there are.

    Raises ModelError if the file of labels `given` by the user has another number of names.
    """
    if task.name != "classify":
        return source.labels, ()
    classes = max(shapes[0])
    if len(source.labels) == classes:
        return source.labels, ()
    if given is not None:
        raise ModelError(
            f"labels {given}: {len(source.labels)} names; accepted: {classes}, one for each class"
        )
    found = f"{len(source.labels)} labels for {classes} classes" if source.labels else "no labels"
    return tuple(f"class {number}" for number in range(classes)), (
        f"{found}: the classes have numbers; --labels names them",
    )
