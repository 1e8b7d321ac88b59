#!/usr/bin/env bash
# openvino 2026.4.1: `antialias=1` of an ONNX Resize is dropped when the file is read: a picture that shrinks to a quarter is
# sampled with the pixels next to each point, and the others are left out. No error, no warning, and no trace in the model.
# Expected: what ONNX defines since version 18, "antialiasing is achieved by stretching the resampling filter", and what
# onnxruntime and ONNX's own reference compute, or the error that other attributes get (`half_pixel_symmetric`):
# https://onnx.ai/onnx/operators/onnx__Resize.html
# Known upstream for mode=cubic, https://github.com/openvinotoolkit/openvino/issues/35893, open on the day below; linear
# is the same. The opset knows better: its Interpolate has the attribute `antialias` and modes that follow Pillow.
# It bites files that bring the camera's picture to the network's size themselves. Enlarging shows nothing, and a smooth
# picture little.
# Matters to: shared/bundling/sources/onnx_reference.py, which compares what OpenVINO has read with onnxruntime.
# Seen 2026-11-28, Python 3.11, x86-64, noise of 0 to 1, 64x64 to 16x16, largest difference from ONNX's reference:
#   linear: onnxruntime 0.00, openvino 0.35; openvino with antialias=0 differs from openvino with 1 by 0.0
#   cubic: onnxruntime 0.00, openvino 0.59; openvino with antialias=0 differs from openvino with 1 by 0.0
set -euo pipefail
folder=$(mktemp --directory)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
# Without dependencies, which are numpy and a package that reports the use of OpenVINO.
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps openvino==2026.4.1
"$folder/venv/bin/python" - <<'PYTHON' || { echo "finding no longer holds: $0" >&2; exit 1; }
import sys

import numpy as np
import onnx
import onnxruntime
import openvino as ov
from onnx import TensorProto, helper, numpy_helper
from onnx.reference import ReferenceEvaluator

PICTURE = np.random.default_rng(0).random((1, 3, 64, 64), np.float32)
SMALL = np.array([1, 3, 16, 16])


def network(mode, antialias):
    resize = helper.make_node("Resize", ["x", "", "", "sizes"], ["y"], mode=mode, antialias=antialias)
    given = helper.make_tensor_value_info("x", TensorProto.FLOAT, PICTURE.shape)
    result = helper.make_tensor_value_info("y", TensorProto.FLOAT, SMALL.tolist())
    graph = helper.make_graph([resize], "resize", [given], [result], [numpy_helper.from_array(SMALL, "sizes")])
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 18)], ir_version=8)
    onnx.checker.check_model(model, full_check=True)
    return model


def by_openvino(model):
    read = ov.Core().read_model(model.SerializeToString())
    return ov.Core().compile_model(read, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(PICTURE)[0]


def by_onnxruntime(model):
    return onnxruntime.InferenceSession(model.SerializeToString()).run(None, {"x": PICTURE})[0]


holds = True
for mode in ("linear", "cubic"):
    plain, smoothed = network(mode, 0), network(mode, 1)
    (expected,) = ReferenceEvaluator(smoothed).run(None, {"x": PICTURE})
    other, found = (np.abs(run(smoothed) - expected).max() for run in (by_onnxruntime, by_openvino))
    own = np.abs(by_openvino(plain) - by_openvino(smoothed)).max()
    print(f"{mode}: onnxruntime {other:.2f}, openvino {found:.2f};", end=" ")
    print(f"openvino with antialias=0 differs from openvino with 1 by {own}")
    holds = holds and other < 1e-5 and found > 0.1 and own == 0
sys.exit(not holds)
PYTHON
