"""What is seen of a network's outputs: in the graph, in their values for the probe pictures, and in what the file says."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.tasks.seen import Seen

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.bundling.sources.source import Source
    from shared.engines.half import Tensors
    from shared.engines.openvino.runtime import ov
    from shared.network.partition import Shape

_PASSED = ("Convert", "Pad", "Reshape", "Slice", "Squeeze", "Unsqueeze", "Transpose")
_ACTIVATIONS = {"Softmax": "softmax", "Sigmoid": "sigmoid", "HSigmoid": "sigmoid"}


def see(source: Source, model: ov.Model, shapes: Sequence[Shape], samples: Tensors) -> Seen:
    """`model` ends with the outputs' results; `shapes` are theirs without the batch, `samples` their values (n, *shape)."""
    ends = [result.input_value(0) for result in model.get_results()[-len(shapes) :]]
    return Seen(
        names=source.outputs,
        shapes=tuple(map(tuple, shapes)),
        samples=tuple(
            sample.reshape(len(sample), *shape) for sample, shape in zip(samples, shapes, strict=True)
        ),
        size=(source.recipe.height, source.recipe.width),
        activations=tuple(_activation(end.get_node()) for end in ends),
        whole=tuple(map(_is_whole, ends)),
        classes=len(source.labels),
        said=source.said,
        constants=source.constants,
    )


def _activation(node: ov.Node) -> str:
    while node.get_type_name() in _PASSED:
        node = node.input_value(0).get_node()
    return _ACTIVATIONS.get(node.get_type_name(), "none")


def _is_whole(value: ov.Output) -> bool:
    """Whether the graph computes whole numbers, which were converted for this output."""
    while not value.get_element_type().is_integral():
        node = value.get_node()
        if node.get_type_name() not in _PASSED:
            return False
        value = node.input_value(0)
    return True
