"""An OpenVINO model's operations in order of execution, and which of their values depend on the picture."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Iterator

    from shared.engines.openvino.runtime import ov

Value: TypeAlias = tuple[int, int]
"""An operation's number in order of execution, and the number of one of its outputs."""

Shape: TypeAlias = tuple[int, ...]


class Graph:
    """A model as lists. The model must not change while this is in use; the numbers hold for its clones too."""

    def __init__(self, model: ov.Model) -> None:
        self.model = model
        self.operations: list[ov.Node] = model.get_ordered_ops()
        # Friendly names may repeat; these names may not.
        self._numbers = {operation.get_name(): number for number, operation in enumerate(self.operations)}
        self.inputs: list[list[Value]] = [
            [
                (self._numbers[source.get_node().get_name()], source.get_index())
                for source in operation.input_values()
            ]
            for operation in self.operations
        ]
        self.types: list[str] = [operation.get_type_name() for operation in self.operations]
        self.on_picture = self._depending_on_picture()

    def number(self, node: ov.Node) -> int:
        """The number of one of the model's operations."""
        return self._numbers[node.get_name()]

    def output(self, value: Value) -> ov.Output:
        """The value in the model."""
        return self.operations[value[0]].output(value[1])

    def of_type(self, *names: str) -> Iterator[int]:
        """The numbers of the operations of these types."""
        return (number for number, name in enumerate(self.types) if name in names)

    def _depending_on_picture(self) -> list[bool]:
        """For each operation, whether its values depend on the picture, and not only on its shape."""
        found: list[bool] = []
        # Of one picture, a size that is not fixed is one that depends on what the picture shows.
        is_one = all(each.get_partial_shape().is_static for each in self.model.get_parameters())
        for name, inputs in zip(self.types, self.inputs, strict=True):
            asks_shape = name == "ShapeOf" and not (is_one and self._has_own_size(inputs[0]))
            found.append(
                name == "Parameter" or (not asks_shape and any(found[number] for number, _ in inputs))
            )
        return found

    def _has_own_size(self, value: Value) -> bool:
        return bool(self.output(value).get_partial_shape().is_dynamic)


def shapes_at(graph: Graph, batch: int) -> list[list[Shape | None]]:
    """Every value's shape for `batch` pictures, by operation and output; None for one that depends on the pictures' content.

    Raises RuntimeError, OpenVINO's own, if the model cannot take so many.
    """
    return [
        [tuple(shape.to_shape()) if shape.is_static else None for shape in _output_shapes(operation)]
        for operation in _at(graph, batch).get_ordered_ops()
    ]


def result_shapes_at(graph: Graph, batch: int) -> list[ov.PartialShape]:
    """The shapes of the model's results for `batch` pictures. Raises RuntimeError as above."""
    return [result.get_output_partial_shape(0) for result in _at(graph, batch).get_results()]


def _at(graph: Graph, batch: int) -> ov.Model:
    model = graph.model.clone()
    (parameter,) = model.get_parameters()
    parameter.set_partial_shape(_with_batch(parameter.get_partial_shape(), batch))
    model.validate_nodes_and_infer_types()
    return model


def _with_batch(shape: ov.PartialShape, batch: int) -> ov.PartialShape:
    shape[0] = batch
    return shape


def _output_shapes(operation: ov.Node) -> list[ov.PartialShape]:
    return [output.get_partial_shape() for output in operation.outputs()]
