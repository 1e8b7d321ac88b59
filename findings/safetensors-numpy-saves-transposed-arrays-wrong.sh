#!/usr/bin/env bash
# safetensors 0.8.0: `safetensors.numpy.save` writes a transposed array's memory as it lies, under its transposed shape:
# it loads with the right shape and type and every value in another place. No error, no warning. 0.7.0 wrote it right.
# Expected: what 0.7.0 did, or the ValueError that safetensors.torch raises. The documentation says that tensors "need to be
# contiguous and dense", which a transposed array is (F_CONTIGUOUS): https://huggingface.co/docs/safetensors/api/numpy
# Known upstream: https://github.com/safetensors/safetensors/issues/825, open on the day below.
# It bites whoever saves weights or tables that came out of `.T`, numpy.transpose or scikit-learn: channels last to first,
# for one. A symmetric array, or one of ones, shows nothing, nor does comparing shapes.
# Matters to: shared/codecs/calibrated/profile.py, which saves `np.ascontiguousarray` of each array.
# Seen 2026-11-28, Python 3.11, x86-64, [[0 3] [1 4] [2 5]] saved and loaded:
#   0.7.0: transposed [[0, 3], [1, 4], [2, 5]], made contiguous [[0, 3], [1, 4], [2, 5]]
#   0.8.0: transposed [[0, 1], [2, 3], [4, 5]], made contiguous [[0, 3], [1, 4], [2, 5]]
set -euo pipefail
shopt -s inherit_errexit
folder=$(mktemp --directory)
trap 'rm -rf "$folder"' EXIT
seen=$(for version in 0.7.0 0.8.0; do
    python3 -m venv --clear "$folder/venv"
    "$folder/venv/bin/pip" install --quiet --disable-pip-version-check "safetensors==$version" numpy==2.4.6
    "$folder/venv/bin/python" - <<'PYTHON'
import numpy as np
import safetensors
from safetensors.numpy import load, save


def there_and_back(array):
    return load(save({"table": array}))["table"].tolist()


transposed = np.arange(6, dtype=np.int32).reshape(2, 3).T
print(f"{safetensors.__version__}: transposed {there_and_back(transposed)},", end=" ")
print("made contiguous", there_and_back(np.ascontiguousarray(transposed)))
PYTHON
done)
echo "$seen"
right="[[0, 3], [1, 4], [2, 5]]"
[ "$seen" = "0.7.0: transposed $right, made contiguous $right
0.8.0: transposed [[0, 1], [2, 3], [4, 5]], made contiguous $right" ] || { echo "finding no longer holds: $0" >&2; exit 1; }
