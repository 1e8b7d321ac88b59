#!/usr/bin/env bash
# pillow 13.0.0 and torch 2.13.0: `interpolate(antialias=True)` and `Image.resize` no longer agree where a picture shrinks
# much more in height than in width. In bicubic, 8-bit values differ by 13 levels below, in lanczos by 26. With Pillow
# 12.3.0 it is 1.
# Expected: torch says "interpolation result would match Pillow result for downsampling operation":
# https://docs.pytorch.org/docs/2.13/generated/torch.nn.functional.interpolate.html
# Both work in two passes and round and clip to 8 bits after each. Pillow 13 begins with the rows if that leaves less to
# do (https://github.com/python-pillow/Pillow/pull/9549), torch always with the columns. A filter with negative weights
# overshoots, and what the first pass clips away depends on the order. `Image.resize` documents none.
# It bites tests that hold one against the other to the level, hashes of resized pictures, and models whose pictures are
# prepared by one in training and by the other in use. Noise, as below, is the worst case: a smooth picture differed by
# 2. A test in bilinear, or with a picture that is wider than high and becomes square, shows nothing.
# Matters to: shared/network/recipes/resample.py, which takes the columns first, and its test, test_resize.py.
# Seen 2026-11-28, Python 3.11, x86-64, largest difference of Pillow from torch and, in brackets, from columns first:
#   12.3.0: 1280x720 bilinear 1 (0), bicubic 1 (0), lanczos 1 (0); 720x1280 bilinear 1 (0), bicubic 1 (0), lanczos 1 (0)
#   13.0.0: 1280x720 bilinear 1 (0), bicubic 1 (0), lanczos 1 (0); 720x1280 bilinear 1 (1), bicubic 13 (13), lanczos 26 (26)
set -euo pipefail
folder=$(mktemp --directory)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check torch==2.13.0 numpy==2.4.6
for version in 12.3.0 13.0.0; do
    "$folder/venv/bin/pip" install --quiet --disable-pip-version-check "pillow==$version"
    "$folder/venv/bin/python" - <<'PYTHON' || { echo "finding no longer holds: $0" >&2; exit 1; }
import sys

import numpy as np
import PIL
import torch
from PIL import Image

SIDE = 640
FILTERS = {name: Image.Resampling[name.upper()] for name in ("bilinear", "bicubic", "lanczos")}


def differences(width, height, name):
    """The largest difference of what Pillow makes of noise from what torch does, and from Pillow's columns first."""
    noise = np.random.default_rng(0).integers(0, 256, (height, width, 3), np.uint8)
    picture = Image.fromarray(noise)
    found = np.asarray(picture.resize((SIDE, SIDE), FILTERS[name])).astype(int)
    columns_first = np.asarray(
        picture.resize((SIDE, height), FILTERS[name]).resize((SIDE, SIDE), FILTERS[name])
    )
    tensor = torch.from_numpy(noise).permute(2, 0, 1)[None]
    resized = torch.nn.functional.interpolate(tensor, size=(SIDE, SIDE), mode=name, antialias=True)
    others = resized[0].permute(1, 2, 0).numpy(), columns_first
    return [int(np.abs(found - other).max()) for other in others]


new = PIL.__version__ == "13.0.0"
texts, holds = [], []
for width, height in ((1280, 720), (720, 1280)):
    seen = {name: differences(width, height, name) for name in FILTERS}
    texts.append(f"{width}x{height} " + ", ".join(f"{name} {a} ({b})" for name, (a, b) in seen.items()))
    for name, (torchs, columns) in seen.items():
        if new and width < height and name != "bilinear":
            holds.append(torchs > 5 and columns > 5)
        else:
            holds.append(max(torchs, columns) <= 1)
print(f"{PIL.__version__}:", "; ".join(texts))
sys.exit(not all(holds))
PYTHON
done
