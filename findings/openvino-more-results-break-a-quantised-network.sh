#!/usr/bin/env bash
# openvino 2026.4.1, CPU: a quantised network for any number of pictures answers with zeros once it has one more Result, at a
# convolution that is followed by a ReLU and a FakeQuantize. The convolution's own values are right; what comes after it is far
# too small and is rounded to nothing. No error, no warning. All is right for a fixed number of pictures, and without the
# transformations to integers (LP_TRANSFORMS_MODE).
# Expected: that a Result changes no other output. Results are the outputs of a model, as many as it has:
# https://docs.openvino.ai/2025/openvino-workflow/running-inference/model-representation.html
# It bites whoever looks at inner values of a quantised network: to compare them, to take features, to cut it in two.
# Matters to: shared/engines/openvino/runtime.py, without_integers, which has such networks computed in floating point.
# Seen 2026-11-29, Python 3.11, x86-64, the sum of the answer's absolute values:
#   no other Result: 8.13
#   one at the convolution: 0.00
#   one at the ReLU: 8.13
#   one at the convolution, for one picture only: 8.13
#   one at the convolution, without integers: 8.13
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

RANDOM = np.random.default_rng(0)
WEIGHTS = RANDOM.integers(-20, 20, (8, 3, 3, 3)).astype(np.int8)
CLASSES = RANDOM.random((8, 5), np.float32)
PICTURE = RANDOM.standard_normal((1, 3, 16, 16)).astype(np.float32)
PRECISE = {"INFERENCE_PRECISION_HINT": "f32"}


def quantised(value):
    """In 256 steps of 0.02 from -2.56."""
    ends = [operations.constant(np.float32(each)) for each in (-2.56, 2.54)]
    return operations.fake_quantize(value, *ends, *ends, 256)


def network(looked_at, batch):
    given = operations.parameter([batch, *PICTURE.shape[1:]], np.float32)
    weights = operations.multiply(
        operations.convert(operations.constant(WEIGHTS), "f32"), operations.constant(np.float32(0.02))
    )
    inner = {"convolution": operations.convolution(quantised(given), weights, [2, 2], [1, 1], [1, 1], [1, 1])}
    inner["ReLU"] = operations.relu(inner["convolution"])
    means = operations.reduce_mean(quantised(inner["ReLU"]), operations.constant([2, 3]), keep_dims=False)
    answer = operations.matmul(means, operations.constant(CLASSES), False, False)
    results = [operations.result(answer)]
    if looked_at:
        results.append(operations.result(inner[looked_at]))
    return ov.Model(results, [given], "network")


def total(what, looked_at, *, batch=-1, **options):
    compiled = ov.Core().compile_model(network(looked_at, batch), "CPU", PRECISE | options)
    found = float(np.abs(compiled(PICTURE)[0]).sum())
    print(f"{what}: {found:.2f}")
    return found


plain = total("no other Result", None)
broken = total("one at the convolution", "convolution")
others = [
    total("one at the ReLU", "ReLU"),
    total("one at the convolution, for one picture only", "convolution", batch=1),
    total("one at the convolution, without integers", "convolution", LP_TRANSFORMS_MODE="NO"),
]
sys.exit(not (plain > 1 and broken < 0.01 * plain and np.allclose(others, plain, rtol=0.02)))
PYTHON
