"""Small ONNX files, each written as another exporter writes them: what scripts/bundle_table.py bundles.

    python scripts/onnx_networks.py FOLDER [PYTHON_WITH_TENSORFLOW]

It prints who wrote a file and its path, with a tab between them, a line for each. torch and the packages of ONNX are needed (the
extra `dev`); tensorflow and tf2onnx do not fit beside them, so another interpreter has them.
"""

from __future__ import annotations

import subprocess
import sys
from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
import onnx
import onnxscript
import torch
from onnx import TensorProto, checker, helper, numpy_helper, parser
from onnxscript import FLOAT
from onnxscript import opset17 as op

ROOT = Path(__file__).resolve().parent.parent
sys.path.insert(0, str(ROOT))

from shared.torch_network.vision import get_model  # noqa: E402

if TYPE_CHECKING:
    from collections.abc import Iterator

_DETECTOR = ROOT.parent / "shared" / "weights" / "fastestdet.onnx"
"""Beside the project, see DATA.md there; never part of it."""
_OPSET = 17

_TENSORFLOW = """
import sys
import tensorflow as tf, tf2onnx
tf.random.set_seed(0)
x = given = tf.keras.Input((64, 64, 3), name="pictures")
for width in (16, 32, 64):
    x = tf.keras.layers.Conv2D(width, 3, strides=2, padding="same", activation="relu")(x)
    y = tf.keras.layers.DepthwiseConv2D(3, padding="same")(x)
    y = tf.keras.layers.BatchNormalization()(y)
    x = tf.keras.layers.Add()([x, tf.keras.layers.ReLU(6.0)(y)])
x = tf.keras.layers.GlobalAveragePooling2D()(x)
net = tf.keras.Model(given, tf.keras.layers.Dense(10, activation="softmax", name="classes")(x))
call = tf.function(lambda pictures: net(pictures, training=False))
spec = [tf.TensorSpec((None, 64, 64, 3), tf.float32, name="pictures")]
tf2onnx.convert.from_function(call, spec, opset=15, inputs_as_nchw=["pictures"], output_path=sys.argv[1])
"""


def write_networks(folder: Path, tensorflow: str = "") -> Iterator[tuple[str, Path]]:
    """Write each file when it is asked for: who wrote it, and its path. `tensorflow` is an interpreter's path."""
    for origin, name, write in (
        ("torch.onnx, TorchScript exporter", "scripted", _by_torch_script),
        ("torch.onnx, dynamo exporter", "dynamo", _by_torch_dynamo),
        ("onnx.helper, several outputs", "helper", _by_helper),
        ("onnx.parser", "parser", _by_parser),
        ("onnxscript", "onnxscript", _by_onnxscript),
    ):
        path = folder / f"{name}.onnx"
        write(path)
        yield origin, path
    if tensorflow:
        path = folder / "tensorflow.onnx"
        subprocess.run([tensorflow, "-c", _TENSORFLOW, str(path)], check=True, capture_output=True)
        yield "tf2onnx", path
    if _DETECTOR.is_file():
        yield "a published detector", _DETECTOR


def _torch_network() -> Any:
    """A network of torchvision without training: shuffles of channels, concatenations, and a mean."""
    torch.manual_seed(0)
    return get_model("shufflenet_v2_x0_5", weights=None).eval()


def _by_torch_script(path: Path) -> None:
    torch.onnx.export(
        _torch_network(), (torch.zeros(1, 3, 224, 224),), str(path), dynamo=False, opset_version=_OPSET,
        input_names=["pictures"], output_names=["classes"], dynamic_axes={"pictures": {0: "n"}, "classes": {0: "n"}},
    )  # fmt: skip


def _by_torch_dynamo(path: Path) -> None:
    torch.onnx.export(
        _torch_network(), (torch.zeros(1, 3, 224, 224),), str(path), dynamo=True, external_data=False, verbose=False
    )  # fmt: skip


def _parameters() -> Any:
    return partial(np.random.default_rng(0).normal, 0, 0.2)


def _by_helper(path: Path) -> None:
    """A residual network for one picture at a time, with two outputs."""
    normal = _parameters()
    constants = {
        "stem": normal((8, 3, 3, 3)), "inner": normal((8, 8, 3, 3)), "bias": normal(8), "last": normal((8, 5)),
    }  # fmt: skip
    nodes = [
        helper.make_node("Conv", ["picture", "stem", "bias"], ["stem_out"], pads=[1] * 4, strides=[2, 2]),
        helper.make_node("Relu", ["stem_out"], ["first"]),
        helper.make_node("Conv", ["first", "inner", "bias"], ["inner_out"], pads=[1] * 4),
        helper.make_node("Add", ["inner_out", "first"], ["sum"]),
        helper.make_node("HardSwish", ["sum"], ["second"]),
        helper.make_node("GlobalAveragePool", ["second"], ["mean"]),
        helper.make_node("Flatten", ["mean"], ["flat"]),
        helper.make_node("Gemm", ["flat", "last"], ["classes"]),
        helper.make_node("MaxPool", ["second"], ["map"], kernel_shape=[4, 4], strides=[4, 4]),
    ]
    value = partial(helper.make_tensor_value_info, elem_type=TensorProto.FLOAT)
    graph = helper.make_graph(
        nodes,
        "helper",
        [value("picture", shape=[1, 3, 48, 64])],
        [value("classes", shape=[1, 5]), value("map", shape=[1, 8, 6, 8])],
        [numpy_helper.from_array(values.astype(np.float32), name) for name, values in constants.items()],
    )
    _save(helper.make_model(graph, opset_imports=[helper.make_opsetid("", _OPSET)]), path)


def _by_parser(path: Path) -> None:
    """Any number of pictures; parallel branches, a concatenation, and probabilities at its end."""
    normal = _parameters()
    model = parser.parse_model(
        f"""<ir_version: 8, opset_import: ["" : {_OPSET}]>
        parser (float[n, 3, 32, 32] pictures) => (float[n, 4] probabilities) {{
            stem = Conv <pads = [1, 1, 1, 1], strides = [2, 2]> (pictures, w0)
            one = Conv <pads = [1, 1, 1, 1]> (stem, w1)
            two = Conv (stem, w2)
            both = Concat <axis = 1> (one, two)
            active = LeakyRelu <alpha = 0.1> (both)
            small = AveragePool <kernel_shape = [4, 4], strides = [4, 4]> (active)
            flat = Flatten (small)
            values = MatMul (flat, w3)
            probabilities = Softmax <axis = 1> (values)
        }}"""
    )
    shapes = {"w0": (6, 3, 3, 3), "w1": (4, 6, 3, 3), "w2": (4, 6, 1, 1), "w3": (8 * 16, 4)}
    model.graph.initializer.extend(
        numpy_helper.from_array(normal(shape).astype(np.float32), name) for name, shape in shapes.items()
    )
    _save(model, path)


def _by_onnxscript(path: Path) -> None:
    """Tokens with attention, for any number of pictures."""
    normal = _parameters()
    patches, queries, keys, last = (
        normal(shape).astype(np.float32) for shape in ((16, 3, 8, 8), (16, 16), (16, 16), (16, 7))
    )
    tokens = np.array([0, 16, 16], dtype=np.int64)

    @onnxscript.script(default_opset=op)
    def onnxscript_network(pictures):  # type: ignore[no-untyped-def] # noqa: ANN001, ANN202 - onnxscript reads annotations as tensor types
        embedded = op.Conv(pictures, patches, strides=[8, 8])
        rows = op.Transpose(op.Reshape(embedded, tokens), perm=[0, 2, 1])
        scores = op.MatMul(op.MatMul(rows, queries), op.Transpose(op.MatMul(rows, keys), perm=[0, 2, 1]))
        mixed = rows + op.MatMul(op.Softmax(scores, axis=-1), rows)
        return op.MatMul(op.ReduceMean(mixed, axes=[1], keepdims=0), last)

    types = {"input_types": [FLOAT["N", 3, 32, 32]], "output_types": [FLOAT["N", 7]]}
    _save(onnxscript_network.to_model_proto(**types), path)


def _save(model: onnx.ModelProto, path: Path) -> None:
    checker.check_model(model, full_check=True)
    onnx.save(model, path)


if __name__ == "__main__":
    for written_by, file in write_networks(Path(sys.argv[1]), *sys.argv[2:]):
        print(f"{written_by}\t{file}")
