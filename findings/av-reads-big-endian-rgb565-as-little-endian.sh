#!/usr/bin/env bash
# av 18.1.0 (FFmpeg 8.1): a picture of the layouts rgb565be, bgr565be, rgb555be and bgr555be becomes bgr24 or rgb24 as if its bytes lay
# the other way round: all colours are wrong, and nothing is said. FFmpeg 5.1 and 9.0 have them right.
# Expected: what the same values in rgb565le become. Of all layouts that the program ffmpeg can write, only these four differ.
# Displays, microcontrollers and thermal cameras write RGB565 with the high byte first; a container that can say so is NUT.
# Matters to: edge/sources/video, as raw video of these layouts.
# Seen 2026-11-29, Python 3.11, x86-64, a picture of one orange:
#   rgb565le [255, 130, 33], rgb565be [0, 158, 231], rgb555le [255, 132, 33], rgb555be [8, 24, 247]
set -euo pipefail
folder=$(mktemp --directory)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check av==18.1.0 numpy==2.4.6
cd "$folder"
venv/bin/python - <<'PYTHON' || { echo "finding no longer holds: $0" >&2; exit 1; }
import sys

import av
import numpy as np

SIZE = 16
# Orange: all of red, half of green, an eighth of blue.
VALUES = {"565": (31 << 11) | (32 << 5) | 4, "555": (31 << 10) | (16 << 5) | 4}
wrong = []
for bits, value in VALUES.items():
    seen = {}
    for order, kind in (("le", "<u2"), ("be", ">u2")):
        decoder = av.CodecContext.create("rawvideo", "r")
        decoder.width = decoder.height = SIZE
        decoder.pix_fmt = f"rgb{bits}{order}"
        (frame,) = decoder.decode(av.Packet(np.full(SIZE * SIZE, value, kind).tobytes()))
        seen[order] = frame.to_ndarray(format="rgb24")[0, 0].tolist()
        print(f"rgb{bits}{order}", seen[order])
    wrong.append(seen["le"] != seen["be"] and seen["le"][0] > 240)
sys.exit(not all(wrong))
PYTHON
