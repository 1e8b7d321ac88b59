"""A file's only input, whatever its layout and type, as the one that bundles have: (B, C, H, W) float32."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shared.bundling.messages import first_line
from shared.engines.openvino.runtime import operations, ov
from shared.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Sequence

_CHANNELS = (1, 3)
_TYPES = ("f32", "f16", "bf16", "f64", "u8", "i8", "u16", "i16", "i32", "i64", "u32", "u64")


class PictureInput:
    """The input of `model` as it was found. Raises ModelError, beginning with `what`, for what takes no picture."""

    def __init__(self, model: ov.Model, what: str) -> None:
        self._model = model
        self._what = what
        parameters = model.get_parameters()
        if len(parameters) != 1:
            names = ", ".join(_described(each) for each in parameters) or "none"
            raise ModelError(f"{what}: {len(parameters)} inputs ({names}); accepted: one, the picture")
        (self._parameter,) = parameters
        shape = self._parameter.get_partial_shape()
        if shape.rank.is_dynamic or len(shape) != 4:
            raise ModelError(
                f"{what}: the input is {_described(self._parameter)}; accepted: a picture of four dimensions"
            )
        self._sides = [each.get_length() if each.is_static else None for each in shape]
        self.element_type: str = self._parameter.get_element_type().to_string()
        if self.element_type not in _TYPES:
            raise ModelError(
                f"{what}: the input has the type {self.element_type}; accepted: {', '.join(_TYPES)}"
            )
        self.is_channels_last = self._is_channels_last()
        channels = self._sides[3 if self.is_channels_last else 1] or _first_filters(self._parameter)
        if channels not in _CHANNELS:
            raise ModelError(
                f"{what}: the input is {_described(self._parameter)}, with {channels} channels where 1 or 3 were looked for; "
                "accepted: pictures in RGB, BGR or grey"
            )
        self.channels: int = channels

    @property
    def size(self) -> tuple[int | None, int | None]:
        """(width, height); None for one that the file leaves open."""
        height, width = self._sides[1:3] if self.is_channels_last else self._sides[2:]
        return width, height

    def _is_channels_last(self) -> bool:
        layout = self._parameter.get_layout()
        if not layout.empty and ov.layout_helpers.has_channels(layout):
            return bool(ov.layout_helpers.channels_idx(layout) in (3, -1))
        if not any(self._sides[1:]):
            return any(map(_makes_channels_first, _users(self._parameter)))
        return self._sides[1] not in _CHANNELS and self._sides[3] in _CHANNELS

    def resized(self, width: int, height: int) -> ov.Model:
        """The model with an input (B, C, height, width) float32; B is what the file says, or free. Raises ModelError."""
        shape: Sequence[int | None] = [self._sides[0], self.channels, height, width]
        own = [shape[index] for index in (0, 2, 3, 1)] if self.is_channels_last else shape
        model = self._model
        if own != self._sides:
            try:
                # Not reshape(): it would turn a hard-coded Reshape to (1, n) into one to (-1, n), and a larger picture into several.
                self._parameter.set_partial_shape(
                    ov.PartialShape([-1 if each is None else each for each in own])
                )
                model.validate_nodes_and_infer_types()
            except RuntimeError as error:
                raise ModelError(
                    f"{self._what}: it cannot take pictures of {width}x{height}: {first_line(error)}"
                ) from error
        given = operations.parameter([-1 if each is None else each for each in shape], np.float32)
        given.set_friendly_name(self._parameter.get_friendly_name())
        node = given
        if self.element_type != "f32":
            node = operations.convert(node, self.element_type)
        if self.is_channels_last:
            node = operations.transpose(node, operations.constant([0, 2, 3, 1]))
        if node is not given:
            for user in self._parameter.output(0).get_target_inputs():
                user.replace_source_output(node.output(0))
            model = ov.Model(model.get_results(), [given], model.get_friendly_name())
            model.validate_nodes_and_infer_types()
        return model


def _first_filters(parameter: ov.Node) -> int:
    """How many channels the first convolution on the way from `parameter` takes; 3 if there is none that says so."""
    queue = [parameter]
    seen = {parameter.get_name()}
    for node in queue:
        if node.get_type_name() in ("Convolution", "GroupConvolution"):
            shape = node.input_value(1).get_partial_shape()
            if shape.is_static and node.input_value(0).get_node().get_name() in seen:
                grouped = node.get_type_name() == "GroupConvolution"
                sides: list[int] = list(shape.to_shape())
                return sides[0] * sides[2] if grouped else sides[1]
        for user in _users(node):
            if user.get_name() not in seen:
                seen.add(user.get_name())
                queue.append(user)
    return 3


def _users(node: ov.Node) -> list[ov.Node]:
    return [user.get_node() for output in node.outputs() for user in output.get_target_inputs()]


def _makes_channels_first(node: ov.Node) -> bool:
    if node.get_type_name() != "Transpose":
        return False
    order = node.input_value(1).get_node()
    return order.get_type_name() == "Constant" and list(order.get_vector()) == [0, 3, 1, 2]


def _described(parameter: ov.Node) -> str:
    return f"{parameter.get_friendly_name()} {parameter.get_partial_shape()}"
