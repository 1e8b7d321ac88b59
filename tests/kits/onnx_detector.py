"""A small detector of two levels as an ONNX file that ends with the selection of boxes (NonMaxSuppression)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
from onnx import TensorProto, checker, helper, numpy_helper, save

if TYPE_CHECKING:
    from pathlib import Path

SIDE = 64
CLASSES = 3
_WIDTHS = 8


class _Graph:
    """Nodes and constants of a graph that is being written."""

    def __init__(self) -> None:
        self.nodes: list[Any] = []
        self.constants: list[Any] = []
        self._random = np.random.default_rng(5)

    def constant(self, values: Any) -> str:
        name = f"constant{len(self.constants)}"
        self.constants.append(numpy_helper.from_array(np.asarray(values), name))
        return name

    def add(self, kind: str, name: str, *inputs: str, **attributes: Any) -> str:
        self.nodes.append(helper.make_node(kind, list(inputs), [name], name=name, **attributes))
        return name

    def conv(
        self, value: str, inputs: int, outputs: int, name: str, *, kernel: int = 3, stride: int = 1
    ) -> str:
        shape = (outputs, inputs, kernel, kernel)
        weights = self._random.normal(0, (2 / (inputs * kernel**2)) ** 0.5, shape).astype(np.float32)
        pads = [kernel // 2] * 4
        return self.add(
            "Conv",
            name,
            value,
            self.constant(weights),
            strides=[stride] * 2,
            pads=pads,
            kernel_shape=[kernel] * 2,
        )

    def rows(self, value: str, channels: int, side: int, name: str) -> str:
        """(1, channels, side, side) -> (1, side * side, channels)."""
        flat = self.add("Reshape", f"{name}.flat", value, self.constant([1, channels, side * side]))
        return self.add("Transpose", name, flat, perm=[0, 2, 1])


def _centres(side: int) -> np.ndarray:
    """(side * side, 4): the middle of each cell twice, as y, x, y, x in pixels."""
    y, x = (np.mgrid[0:side, 0:side] + 0.5) * (SIDE / side)
    return np.stack([y.ravel(), x.ravel()] * 2, axis=1)


def write_detector(path: Path, *, each_class: int = 10, threshold: float = 0.6, joined: bool = False) -> Path:
    """Outputs boxes (n, 4), scores (n,) and labels (n,) int64; `joined` one output found (1, n, 6).

    `each_class` boxes of a class are kept at most.
    """
    net = _Graph()
    near = net.conv("picture", 3, _WIDTHS, "stem.conv", stride=4)
    near = net.add("Relu", "near", net.conv(net.add("Relu", "stem", near), _WIDTHS, _WIDTHS, "near.conv"))
    far = net.add("Relu", "far", net.conv(near, _WIDTHS, 2 * _WIDTHS, "far.conv", stride=2))
    far = net.add("Relu", "far.end", net.conv(far, 2 * _WIDTHS, 2 * _WIDTHS, "far.end.conv"))
    boxes, scores = [], []
    for name, value, width, side in (
        ("near", near, _WIDTHS, SIDE // 4),
        ("far", far, 2 * _WIDTHS, SIDE // 8),
    ):
        inner = net.add("Relu", f"{name}.head", net.conv(value, width, 16, f"{name}.head.conv"))
        moved = net.add("Sigmoid", f"{name}.moved", net.conv(inner, 16, 4, f"{name}.boxes", kernel=1))
        ends = np.array([-1, -1, 1, 1], np.float32) * SIDE / side
        sides = net.add("Mul", f"{name}.sides", net.rows(moved, 4, side, f"{name}.rows"), net.constant(ends))
        centres = net.constant(_centres(side)[None].astype(np.float32))
        boxes.append(net.add("Add", f"{name}.placed", sides, centres))
        likely = net.add(
            "Sigmoid", f"{name}.likely", net.conv(inner, 16, CLASSES, f"{name}.classes", kernel=1)
        )
        scores.append(net.rows(likely, CLASSES, side, f"{name}.scores"))
    all_boxes = net.add("Concat", "all_boxes", *boxes, axis=1)
    all_scores = net.add("Concat", "all_scores", *scores, axis=1)
    limits = [
        net.constant(np.array([each_class])),
        *(net.constant(np.array([each], np.float32)) for each in (0.4, threshold)),
    ]
    by_class = net.add("Transpose", "by_class", all_scores, perm=[0, 2, 1])
    chosen = net.add("NonMaxSuppression", "chosen", all_boxes, by_class, *limits)
    box = net.add("Gather", "box", chosen, net.constant(2), axis=1)
    labels = net.add("Gather", "labels", chosen, net.constant(1), axis=1)
    net.add("Gather", "boxes", net.add("Squeeze", "squeezed", all_boxes, net.constant([0])), box, axis=0)
    net.add("GatherND", "scores", by_class, chosen)
    outputs = {
        "boxes": (TensorProto.FLOAT, ["n", 4]),
        "scores": (TensorProto.FLOAT, ["n"]),
        labels: (TensorProto.INT64, ["n"]),
    }
    if joined:
        wide = [net.add("Unsqueeze", "scores.wide", "scores", net.constant([1]))]
        numbers = net.add("Cast", "labels.float", labels, to=TensorProto.FLOAT)
        wide.append(net.add("Unsqueeze", "labels.wide", numbers, net.constant([1])))
        rows = net.add("Concat", "rows", "boxes", *wide, axis=1)
        net.add("Unsqueeze", "found", rows, net.constant([0]))
        outputs = {"found": (TensorProto.FLOAT, [1, "n", 6])}
    graph = helper.make_graph(
        net.nodes,
        "detector",
        [helper.make_tensor_value_info("picture", TensorProto.FLOAT, [1, 3, SIDE, SIDE])],
        [helper.make_tensor_value_info(name, *what) for name, what in outputs.items()],
        net.constants,
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 17)], ir_version=8)
    checker.check_model(model)
    save(model, path)
    return path
