#!/usr/bin/env bash
# openvino 2026.4.1, CPU: where a Result has a Parameter as its source, `set_output_tensor` gives that output's memory to the
# input. What the caller set as input is not read: the caller's input array is overwritten with what was in the output array
# before, the output array stays as it was, and every other output is computed from that. No error, no warning.
# Expected: that the output array then holds a copy of the input, and that nobody writes to the latter. The page knows one
# condition for `set_output_tensor`, that type and shape match:
# https://docs.openvino.ai/2024/api/ie_python_api/_autosummary/openvino.InferRequest.html
# It bites whoever cuts networks or returns the picture beside the answer, and gives all outputs memory of their own.
# Matters to: shared/engines/openvino/network.py, passed, which leaves out of a segment what is only handed on.
# Seen 2026-11-29, Python 3.11, x86-64; the output arrays hold 9s before:
#   output arrays of the caller: input [9, 9, 9], itself [9, 9, 9], doubled [18, 18, 18]
#   output arrays of the request: input [1, 2, 3], itself [1, 2, 3], doubled [2, 4, 6]
#   a Convert between, arrays of the caller: input [1, 2, 3], itself [1, 2, 3], doubled [2, 4, 6]
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


def seen(what, *, own_arrays, convert):
    given = operations.parameter([3], np.float32)
    itself = operations.convert(given, "f32") if convert else given
    doubled = operations.multiply(given, operations.constant(np.float32(2)))
    model = ov.Model([operations.result(itself), operations.result(doubled)], [given], "network")
    request = ov.Core().compile_model(model, "CPU", {"INFERENCE_PRECISION_HINT": "f32"}).create_infer_request()
    picture = np.array([1, 2, 3], np.float32)
    outputs = [np.full(3, 9, np.float32) for _ in range(2)]
    request.set_input_tensor(ov.Tensor(picture, shared_memory=True))
    if own_arrays:
        for index, each in enumerate(outputs):
            request.set_output_tensor(index, ov.Tensor(each, shared_memory=True))
    request.infer()
    if not own_arrays:
        outputs = [request.get_output_tensor(index).data for index in range(2)]
    found = [[int(value) for value in each] for each in (picture, *outputs)]
    print("{}: input {}, itself {}, doubled {}".format(what, *found))
    return found


right = [[1, 2, 3], [1, 2, 3], [2, 4, 6]]
wrong = seen("output arrays of the caller", own_arrays=True, convert=False)
others = [
    seen("output arrays of the request", own_arrays=False, convert=False),
    seen("a Convert between, arrays of the caller", own_arrays=True, convert=True),
]
sys.exit(wrong == right or others != [right, right])
PYTHON
