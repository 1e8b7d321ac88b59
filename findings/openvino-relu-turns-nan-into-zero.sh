#!/usr/bin/env bash
# openvino 2026.4.1, CPU: ReLU, Clamp and Maximum make a number of a NaN. Behind a convolution and a ReLU, the surroundings
# of one NaN are zeros: the answer is finite and wrong. Sigmoid, HSwish and the convolution itself keep it.
# Expected: NaN, as numpy's maximum, torch and onnxruntime answer. The page of ReLU has no word about it:
# https://docs.openvino.ai/2026/documentation/openvino-ir-format/operation-sets/operation-specs/activation/relu-1.html
# Known from threads only: https://github.com/openvinotoolkit/openvino/issues/35649, open on the day below.
# It bites whoever looks at the end of a network for NaN to learn that something is broken (weights, an input, a half that
# overflowed): in a network with ReLU there is none.
# Matters to: shared/codecs/base.py, which refuses NaN in what is encoded: the check of the answer, in
# cloud/http/model.py, would not see it.
# Seen 2026-11-28, Python 3.11, x86-64, "N of 36" values around a NaN in an input of ones are NaN:
#   Convolution: 9 of 36, sum nan
#   Convolution, ReLU: 0 of 36, sum 729.0
#   Convolution, Clamp: 0 of 36, sum 729.0
#   Convolution, Maximum: 0 of 36, sum 729.0
#   Convolution, Sigmoid: 9 of 36, sum nan
#   Convolution, HSwish: 9 of 36, sum nan
set -euo pipefail
folder=$(mktemp --directory)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
# Without dependencies, which are numpy and a package that reports the use of OpenVINO.
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check --no-deps openvino==2026.4.1 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON' || { echo "finding no longer holds: $0" >&2; exit 1; }
import sys

import numpy as np
import openvino as ov
from openvino import opset13 as operations

PICTURE = np.ones((1, 3, 8, 8), np.float32)
PICTURE[0, 0, 4, 4] = np.nan
FUNCTIONS = {
    "Convolution": lambda value: value,
    "Convolution, ReLU": operations.relu,
    "Convolution, Clamp": lambda value: operations.clamp(value, 0.0, 100.0),
    "Convolution, Maximum": lambda value: operations.maximum(value, operations.constant(np.float32(0))),
    "Convolution, Sigmoid": operations.sigmoid,
    "Convolution, HSwish": operations.hswish,
}


def answer(function):
    given = operations.parameter(PICTURE.shape, np.float32)
    kernel = operations.constant(np.ones((1, 3, 3, 3), np.float32))
    value = function(operations.convolution(given, kernel, [1, 1], [0, 0], [0, 0], [1, 1]))
    model = ov.Model([operations.result(value)], [given], "network")
    return ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"})(PICTURE)[0]


counts = []
for name, function in FUNCTIONS.items():
    found = answer(function)
    counts.append(int(np.isnan(found).sum()))
    print(f"{name}: {counts[-1]} of {found.size}, sum {found.sum()}")
sys.exit(counts != [9, 0, 0, 0, 9, 9])
PYTHON
