#!/usr/bin/env bash
# openvino 2026.4.1, CPU: NonMaxSuppression removes a box whose overlap (IoU) with a better one EQUALS the threshold. ONNX Runtime
# and torchvision's nms keep it: they remove what is above the threshold. So one ONNX file gives another number of boxes.
# Expected: what the file's reference implementation does; ONNX speaks of boxes that overlap "too much" with respect to the threshold:
# https://onnx.ai/onnx/operators/onnx__NonMaxSuppression.html
# It bites where boxes lie on a grid, as anchors and quantised boxes do: overlaps of exactly 0.5 are common there.
# Matters to: shared/bundling/sources/detection.py, which gives OpenVINO the next larger number as the threshold.
# Seen 2026-11-29, Python 3.11, x86-64; boxes (0, 0, 10, 10) and (0, 0, 10, 5), IoU 0.5, kept at each threshold:
#   0.49: onnxruntime 1, openvino 1
#   0.5: onnxruntime 2, openvino 1
#   0.51: onnxruntime 2, openvino 2
set -euo pipefail
folder=$(mktemp --directory)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check openvino==2026.4.1 onnx==1.23.2 onnxruntime==1.32.0 numpy==2.4.6
"$folder/venv/bin/python" - "$folder/nms.onnx" <<'PYTHON' || { echo "finding no longer holds: $0" >&2; exit 1; }
import sys

import numpy as np
import onnx
import onnxruntime
import openvino as ov
from onnx import TensorProto, helper

boxes = np.array([[[0, 0, 10, 10], [0, 0, 10, 5]]], np.float32)
scores = np.array([[[0.9, 0.8]]], np.float32)


def kept(threshold):
    graph = helper.make_graph(
        [helper.make_node("NonMaxSuppression", ["boxes", "scores", "most", "threshold"], ["selected"])],
        "nms",
        [
            helper.make_tensor_value_info("boxes", TensorProto.FLOAT, [1, 2, 4]),
            helper.make_tensor_value_info("scores", TensorProto.FLOAT, [1, 1, 2]),
        ],
        [helper.make_tensor_value_info("selected", TensorProto.INT64, ["n", 3])],
        [
            helper.make_tensor("most", TensorProto.INT64, [1], [10]),
            helper.make_tensor("threshold", TensorProto.FLOAT, [1], [threshold]),
        ],
    )
    model = helper.make_model(graph, opset_imports=[helper.make_opsetid("", 13)], ir_version=8)
    onnx.checker.check_model(model)
    onnx.save(model, sys.argv[1])
    session = onnxruntime.InferenceSession(sys.argv[1])
    compiled = ov.Core().compile_model(sys.argv[1], "CPU", {"INFERENCE_PRECISION_HINT": "f32"})
    found = len(session.run(None, {"boxes": boxes, "scores": scores})[0]), len(compiled([boxes, scores])[0])
    print("{}: onnxruntime {}, openvino {}".format(threshold, *found))
    return found


sys.exit([kept(0.49), kept(0.5), kept(0.51)] != [(1, 1), (2, 1), (2, 2)])
PYTHON
