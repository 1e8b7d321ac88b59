"""A small detector of colours as an ONNX file: a pyramid of two levels, and a head of YOLOv8's form on each.

It is made by hand: a box's class score follows how warm, green or bright its place is, so that what it sees in the synthetic camera's
pictures changes with them. Two tensors cross between the trunk and the necks of its levels.
"""

from __future__ import annotations

import subprocess
import sys
from typing import TYPE_CHECKING

import numpy as np
import onnx
from kits.common import ROOT, START_S
from onnx import TensorProto, helper, numpy_helper

from shared.network.bundle import read_bundle

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from shared.network.bundle import Bundle

SIDE = 64
LABELS = ("warm", "green", "bright")
STRIDES = (8, 16)
_COLOURS = np.array([[1.0, 0.0, -1.0], [-0.5, 1.0, -0.5], [0.34, 0.33, 0.33]])
"""How much of red, green and blue there is in each class."""
_OFTEN = np.array([0.35, 0.12, 0.75])
"""The class values at which the score is one half."""
_STEEP = 8.0


class _Graph:
    """Nodes and constants while they are put together."""

    def __init__(self) -> None:
        self.nodes: list[onnx.NodeProto] = []
        self.constants: list[onnx.TensorProto] = []

    def add(self, kind: str, name: str, *inputs: str, **attributes: object) -> str:
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
        return name

    def constant(self, name: str, values: np.ndarray) -> str:
        self.constants.append(numpy_helper.from_array(np.ascontiguousarray(values), name))
        return name

    def convolution(self, name: str, given: str, kernel: np.ndarray, bias: np.ndarray | None = None) -> str:
        """A kernel of 2x2 halves the size, one of 1x1 or 3x3 keeps it."""
        side = kernel.shape[2]
        weights = self.constant(f"{name}.kernel", kernel.astype(np.float32))
        shift = self.constant(
            f"{name}.bias", (np.zeros(len(kernel)) if bias is None else bias).astype(np.float32)
        )
        stride = 2 if side == 2 else 1
        pads = [int(side == 3)] * 4
        return self.add("Conv", name, given, weights, shift, strides=[stride, stride], pads=pads)

    def layer(self, name: str, given: str, inputs: int, outputs: int, side: int, seed: int) -> str:
        """A convolution and a ReLU. The first channels are the same ones before them, or their mean; the others are drawn."""
        area = side * side
        kernel = np.random.default_rng(seed).normal(
            0, (2 / inputs / area) ** 0.5, (outputs, inputs, side, side)
        )
        kernel[: len(LABELS)] = 0
        for number in range(len(LABELS)):
            if side == 3:
                kernel[number, number, 1, 1] = 1
            else:
                kernel[number, number] = 1 / area
        return self.add("Relu", f"{name}.relu", self.convolution(name, given, kernel))


def _level(graph: _Graph, number: int, features: str, channels: int) -> str:
    """The head of one level: (1, 4 + K, places), boxes as cx, cy, w, h in pixels."""
    stride, name = STRIDES[number], f"head{number}"
    side = SIDE // stride
    kernel = np.random.default_rng(40 + number).normal(
        0, 0.5 / channels**0.5, (4 + len(LABELS), channels, 1, 1)
    )
    kernel[4:] = 0
    for label in range(len(LABELS)):
        kernel[4 + label, label] = _STEEP
    bias = np.concatenate([np.zeros(4), -_STEEP * _OFTEN])
    raw = graph.convolution(f"{name}.conv", features, kernel, bias)
    shape = graph.constant(f"{name}.shape", np.array([1, 4 + len(LABELS), side * side]))
    flat = graph.add("Reshape", f"{name}.flat", raw, shape)
    parts = [f"{name}.{part}" for part in ("centre", "sides", "scores")]
    sizes = graph.constant(f"{name}.sizes", np.array([2, 2, len(LABELS)]))
    graph.nodes.append(helper.make_node("Split", [flat, sizes], parts, name=f"{name}.split", axis=1))
    y, x = np.divmod(np.arange(side * side), side)
    grid = stride * (np.stack([x, y])[None] + 0.5)
    middle = graph.constant(f"{name}.grid", grid.astype(np.float32))
    moved = graph.add("Add", f"{name}.moved", middle, graph.add("Tanh", f"{name}.offset", parts[0]))
    most = graph.constant(f"{name}.most", np.array(4 * stride, np.float32))
    wide = graph.add("Mul", f"{name}.wide", graph.add("Sigmoid", f"{name}.share", parts[1]), most)
    probable = graph.add("Sigmoid", f"{name}.probable", parts[2])
    return graph.add("Concat", name, moved, wide, probable, axis=1)


def write_detector(folder: Path) -> tuple[Path, Path]:
    """Write `colours.onnx` and `colours.txt`, the classes' names, into a folder that exists."""
    graph = _Graph()
    first = np.random.default_rng(1).normal(0, 0.2, (8, 3, 2, 2))
    first[: len(LABELS)] = _COLOURS[:, :, None, None] / 4
    stem = graph.add("Relu", "stem.relu", graph.convolution("stem", "picture", first))
    trunk = graph.layer("trunk", graph.layer("body", stem, 8, 12, 2, 2), 12, 12, 2, 3)
    lower = graph.layer("lateral", trunk, 12, 4, 1, 4)
    upper = graph.layer("deeper", graph.layer("upper", trunk, 12, 16, 2, 5), 16, 16, 3, 6)
    heads = [
        _level(graph, 0, graph.layer("lower.neck", lower, 4, 4, 3, 7), 4),
        _level(graph, 1, graph.layer("upper.neck", upper, 16, 16, 3, 8), 16),
    ]
    graph.add("Concat", "boxes", *heads, axis=2)
    places = sum((SIDE // stride) ** 2 for stride in STRIDES)
    shapes = {"picture": [1, 3, SIDE, SIDE], "boxes": [1, 4 + len(LABELS), places]}
    given, found = (
        helper.make_tensor_value_info(name, TensorProto.FLOAT, shape) for name, shape in shapes.items()
    )
    body = helper.make_graph(graph.nodes, "colours", [given], [found], graph.constants)
    model = helper.make_model(body, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    onnx.checker.check_model(model)
    path, labels = folder / "colours.onnx", folder / "colours.txt"
    onnx.save(model, path)
    labels.write_text("\n".join(LABELS) + "\n")
    return path, labels


def make_bundle(network: Path, labels: Path, folder: Path, *flags: str) -> Bundle:
    """The bundle that `splitdnn bundle` makes of it."""
    command = [
        sys.executable, "-m", "splitdnn", "bundle", str(network), "--labels", str(labels), *flags, "-o", str(folder),
    ]  # fmt: skip
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, timeout=START_S, check=False)
    assert done.returncode == 0, done.stderr
    return read_bundle(folder)


def several(bundle: Bundle) -> Sequence[str]:
    """The split points at which several tensors cross, the cheapest first."""
    found = [
        point for name, point in bundle.partition.points.items() if name != "output" and len(point.shapes) > 1
    ]
    return [point.name for point in sorted(found, key=lambda point: point.elements)]
