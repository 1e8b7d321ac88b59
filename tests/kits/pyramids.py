"""Small networks in which no single tensor crosses for long, as OpenVINO graphs with a free batch and random weights."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shared.engines.openvino.runtime import operations as ops
from shared.engines.openvino.runtime import ov

if TYPE_CHECKING:
    from collections.abc import Callable

SIDE = 32


class _Builder:
    """Convolutions with names, and weights with which values keep their size."""

    def __init__(self, side: int = SIDE) -> None:
        self.picture = ops.parameter([-1, 3, side, side], np.float32)
        self.picture.set_friendly_name("picture")
        self._random = np.random.default_rng(7)

    def conv(
        self, value: ov.Node, outputs: int, name: str, *, stride: int = 1, kernel: int = 3, relu: bool = True
    ) -> ov.Node:
        inputs = value.get_output_partial_shape(0)[1].get_length()
        shape = (outputs, inputs, kernel, kernel)
        weights = self._random.normal(0, (2 / (inputs * kernel**2)) ** 0.5, shape).astype(np.float32)
        pad = [kernel // 2] * 2
        made = ops.convolution(
            value, ops.constant(weights), [stride] * 2, pad, pad, [1, 1], name=f"{name}.conv"
        )
        return ops.relu(made, name=name) if relu else made

    def model(self, *outputs: ov.Node) -> ov.Model:
        return ov.Model([ops.result(each) for each in outputs], [self.picture], "pyramid")


def _doubled(value: ov.Node, name: str) -> ov.Node:
    scales = ops.constant(np.array([2, 2], np.float32))
    return ops.interpolate(
        value, scales, "nearest", "scales", axes=ops.constant([2, 3]), nearest_mode="floor", name=name
    )


def _flat(value: ov.Node, channels: int) -> ov.Node:
    rows = ops.reshape(value, ops.constant([0, channels, -1]), special_zero=True)
    return ops.transpose(rows, ops.constant([0, 2, 1]))


def feature_pyramid() -> ov.Model:
    """A backbone of three levels, a path from the top down, and two heads: (B, 84, 3) and (B, 84, 4)."""
    net = _Builder()
    value = net.conv(net.conv(net.picture, 16, "stem", stride=2), 24, "stage1")
    levels = []
    for number in (2, 3, 4):
        value = net.conv(
            net.conv(value, 16 * number, f"stage{number}.a", stride=2), 16 * number, f"stage{number}.b"
        )
        levels.append(value)
    top = None
    pyramid = []
    for number, level in reversed(list(enumerate(levels))):
        side = net.conv(level, 16, f"lateral{number}", kernel=1, relu=False)
        top = side if top is None else ops.add(side, _doubled(top, f"up{number}"), name=f"sum{number}")
        pyramid.append(net.conv(top, 16, f"pyramid{number}", relu=False))
    outputs = []
    for head, channels in (("classes", 3), ("boxes", 4)):
        rows = []
        for number, level in enumerate(pyramid):
            inner = net.conv(net.conv(level, 16, f"{head}{number}.a"), 16, f"{head}{number}.b")
            rows.append(_flat(net.conv(inner, channels, f"{head}{number}", relu=False), channels))
        outputs.append(ops.concat(rows, 1, name=head))
    return net.model(*outputs)


def u_net() -> ov.Model:
    """Down three times and up again, with what was there on the way down: (B, 2, 32, 32)."""
    net = _Builder()
    value = net.picture
    kept = []
    for number, channels in enumerate((12, 16, 24)):
        value = net.conv(net.conv(value, channels, f"down{number}.a"), channels, f"down{number}.b")
        kept.append((number, channels, value))
        value = ops.avg_pool(value, [2, 2], [0, 0], [0, 0], [2, 2], exclude_pad=False, name=f"pool{number}")
    value = net.conv(net.conv(value, 32, "middle.a"), 32, "middle.b")
    for number, channels, beside in reversed(kept):
        joined = ops.concat([_doubled(value, f"up{number}"), beside], 1)
        value = net.conv(net.conv(joined, channels, f"up{number}.a"), channels, f"up{number}.b")
    return net.model(net.conv(value, 2, "mask", kernel=1, relu=False))


def three_scales() -> ov.Model:
    """Three outputs as the heads of a YOLO: (B, 21, 8, 8), (B, 21, 4, 4), (B, 21, 2, 2)."""
    net = _Builder()
    value = net.conv(net.picture, 16, "stem", stride=2)
    levels = []
    for number, channels in enumerate((24, 32, 48)):
        value = net.conv(value, channels, f"stage{number}.a", stride=2)
        value = net.conv(net.conv(value, channels, f"stage{number}.b"), channels, f"stage{number}.c")
        levels.append(value)
    small, middle, large = reversed(levels)
    middle = net.conv(ops.concat([_doubled(small, "up1"), middle], 1), 24, "neck1")
    large = net.conv(ops.concat([_doubled(middle, "up2"), large], 1), 16, "neck2")
    heads = [
        net.conv(net.conv(level, 16, f"head{number}.a"), 21, f"head{number}", kernel=1, relu=False)
        for number, level in enumerate((large, middle, small))
    ]
    return net.model(*heads)


def two_branches() -> ov.Model:
    """Two ways from the picture of unlike depth, each with a narrow place, joined before the last convolution: (B, 5, 8, 8)."""
    net = _Builder()
    near = net.conv(net.conv(net.picture, 16, "near.a", stride=2), 4, "near.narrow", stride=2)
    near = net.conv(near, 24, "near.b")
    far = net.conv(net.conv(net.picture, 24, "far.a", stride=2), 24, "far.b")
    far = net.conv(net.conv(net.conv(far, 24, "far.c", stride=2), 6, "far.narrow"), 24, "far.d")
    joined = ops.concat([near, net.conv(far, 24, "far.e")], 1, name="joined")
    return net.model(net.conv(joined, 5, "last", relu=False))


NETWORKS: dict[str, Callable[[], ov.Model]] = {
    "feature_pyramid": feature_pyramid,
    "u_net": u_net,
    "three_scales": three_scales,
    "two_branches": two_branches,
}


def for_one_picture(model: ov.Model) -> ov.Model:
    """The same network in a form that holds for one picture alone: its outputs lose their batch dimension."""
    (picture,) = model.get_parameters()
    picture.set_partial_shape(ov.PartialShape([1, *list(picture.get_partial_shape())[1:]]))
    model.validate_nodes_and_infer_types()
    ends = [ops.squeeze(result.input_value(0), ops.constant([0])) for result in model.get_results()]
    return ov.Model([ops.result(each) for each in ends], [picture], "pyramid")
