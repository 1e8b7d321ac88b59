#!/usr/bin/env bash
# openvino 2026.4.1: `Model.reshape` replaces a Reshape to a constant (1, n) before a MatMul by one to (-1, n), for good. So
# a network for 8x8 pictures accepts 16x16 and answers with 4 rows, one for each quarter of the values, and no error.
# Expected: the error that `set_partial_shape` and `validate_nodes_and_infer_types` raise, and `reshape` itself does where
# a ReLU stands between the two. It is said to propagate the new shape; models that "may not be ready to be reshaped" can
# not be given it: https://docs.openvino.ai/2026/openvino-workflow/running-inference/model-input-output/changing-input-shape.html
# No word there of a change to the model. It is meant for the batch, where it is right; the source calls it smart reshape,
# https://github.com/openvinotoolkit/openvino/pull/2183
# It bites whoever asks a classifier for a larger picture and reads row 0: that has seen the upper part of the first
# colour only. Sides 1.5 times as long raise an error, twice as long do not, so that one try proves little.
# Matters to: shared/bundling/sources/picture_input.py, which sets a picture's size without `reshape`.
# Seen 2026-11-28, Python 3.11, x86-64:
#   reshape, 16x16: 4 rows, those of the quarters of its values: True
#   reshape, 24x24: 9 rows, those of the ninths of its values: True
#   reshape, 12x12: an error
#   reshape, 16x16, ReLU between: an error
#   set_partial_shape, 16x16: an error
#   reshape, two of 8x8: 2 rows, those of the pictures: True
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

PRECISE = {"INFERENCE_PRECISION_HINT": "f32"}
RANDOM = np.random.default_rng(0)
WEIGHTS = RANDOM.random((3 * 8 * 8, 10), np.float32)


def network(relu):
    """A picture (1, 3, 8, 8), flattened to (1, 192), and a layer of 10 classes."""
    given = operations.parameter([1, 3, 8, 8], np.float32)
    value = operations.reshape(given, operations.constant([1, len(WEIGHTS)], np.int64), special_zero=False)
    if relu:
        value = operations.relu(value)
    product = operations.matmul(value, operations.constant(WEIGHTS), False, False)
    return ov.Model([operations.result(product)], [given], "classifier")


def set_shape(model, shape):
    model.get_parameters()[0].set_partial_shape(ov.PartialShape(shape))
    model.validate_nodes_and_infer_types()


def rows(what, parts, shape, change=ov.Model.reshape, *, relu=False):
    """How many rows the network answers after the change, or None after an error."""
    model = network(relu)
    try:
        change(model, shape)
    except RuntimeError:
        print(f"{what}: an error")
        return None
    pictures = RANDOM.random(shape, np.float32)
    found = ov.Core().compile_model(model, "CPU", PRECISE)(pictures)[0]
    same = np.allclose(found, pictures.reshape(-1, len(WEIGHTS)) @ WEIGHTS, rtol=1e-4)
    print(f"{what}: {len(found)} rows, those of the {parts}: {same}")
    return len(found) if same else None


seen = [
    rows("reshape, 16x16", "quarters of its values", [1, 3, 16, 16]),
    rows("reshape, 24x24", "ninths of its values", [1, 3, 24, 24]),
    rows("reshape, 12x12", "", [1, 3, 12, 12]),
    rows("reshape, 16x16, ReLU between", "", [1, 3, 16, 16], relu=True),
    rows("set_partial_shape, 16x16", "quarters of its values", [1, 3, 16, 16], set_shape),
    rows("reshape, two of 8x8", "pictures", [2, 3, 8, 8]),
]
sys.exit(seen != [4, 9, None, None, None, 2])
PYTHON
