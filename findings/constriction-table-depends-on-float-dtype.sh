#!/usr/bin/env bash
# constriction 0.5.0: `Categorical(weights, perfect=False)` makes another table of the same numbers in float32 than in
# float64, so what one side encodes the other decodes to other symbols. Nothing is raised and nothing is logged.
# Expected: one table. Whole numbers as small as these are exact in both types, and the documentation asks only for "a float
# dtype" and that both sides agree on `perfect`: https://bamler-lab.github.io/constriction/apidoc/python/stream/model.html
# (`lazy=True` is like `perfect=False`; with `perfect=True` the tables agree here). The source sums and scales weights to
# 24 bits in their own type, and a float32 holds no more than these 24 bits. No issue thread was found.
# It bites a pair of services where one keeps its tables as float32, as in the examples of the documentation, and
# the other lets numpy choose. Two symbols show nothing, nor do equal weights: a test with such tables passes.
# Matters to: shared/codecs/calibrated/entropy.py, where both sides divide integers by 65536, which gives float64.
# Seen 2026-11-28, Python 3.11, x86-64, wrong symbols of 80:
#   perfect=False: float32 to float32 0, float64 to float64 0, float32 to float64 55, float64 to float32 55
#   perfect=True: float32 to float32 0, float64 to float64 0, float32 to float64 0, float64 to float32 0
set -euo pipefail
folder=$(mktemp --directory)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check constriction==0.5.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON' || { echo "finding no longer holds: $0" >&2; exit 1; }
import sys

import numpy as np
from constriction import stream

WEIGHTS = [10.0, 20.0, 30.0, 40.0]
SENT = np.tile(np.arange(4, dtype=np.int32), 20)


def wrong(encoding, decoding, perfect):
    """How many symbols differ if the two sides hold their weights in these types."""
    models = [stream.model.Categorical(np.array(WEIGHTS, each), perfect=perfect) for each in (encoding, decoding)]
    encoder = stream.stack.AnsCoder()
    encoder.encode_reverse(SENT, models[0])
    received = stream.stack.AnsCoder(encoder.get_compressed()).decode(models[1], len(SENT))
    return int((received != SENT).sum())


single, double = np.float32, np.float64
PAIRS = [(single, single), (double, double), (single, double), (double, single)]
counts = {}
for perfect in (False, True):
    counts[perfect] = [wrong(*pair, perfect) for pair in PAIRS]
    seen = (f"{a.__name__} to {b.__name__} {count}" for (a, b), count in zip(PAIRS, counts[perfect]))
    print(f"perfect={perfect}:", ", ".join(seen))
same, mixed = counts[False][:2], counts[False][2:]
sys.exit(not (same == [0, 0] and all(mixed)))
PYTHON
