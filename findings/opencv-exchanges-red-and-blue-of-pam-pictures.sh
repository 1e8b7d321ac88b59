#!/usr/bin/env bash
# opencv-python-headless 5.0.0.93: `imread` takes the samples of a PAM picture of TUPLTYPE RGB for blue, green, red, so that red things come
# out blue; PPM, the same samples behind another header, is right. `imwrite` does the same and leaves TUPLTYPE out, so what
# OpenCV writes OpenCV reads right, and a test that writes and reads shows nothing.
# Expected: the colours of the PPM. "RGB: … The tuples are … red, green, and blue, in that order":
# https://netpbm.sourceforge.net/doc/pam.html
# Matters to: edge/sources/pictures, which must not leave colour PAM to OpenCV as it is. Machine-vision tools write PAM for its alpha.
# Seen 2026-11-29, Python 3.11, x86-64, a red picture as blue, green, red:
#   PPM [0, 0, 255], PAM [255, 0, 0], PAM that OpenCV wrote [0, 0, 255], whose first sample is blue: 0
set -euo pipefail
folder=$(mktemp --directory)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check opencv-python-headless==5.0.0.93 numpy==2.4.6
cd "$folder"
venv/bin/python - <<'PYTHON' || { echo "finding no longer holds: $0" >&2; exit 1; }
import sys
from pathlib import Path

import cv2
import numpy as np

SIZE = 8
samples = bytes([255, 0, 0]) * SIZE * SIZE  # red, green, blue
Path("red.ppm").write_bytes(f"P6\n{SIZE} {SIZE}\n255\n".encode() + samples)
header = f"P7\nWIDTH {SIZE}\nHEIGHT {SIZE}\nDEPTH 3\nMAXVAL 255\nTUPLTYPE RGB\nENDHDR\n"
Path("red.pam").write_bytes(header.encode() + samples)
cv2.imwrite("own.pam", np.tile(np.uint8([0, 0, 255]), (SIZE, SIZE, 1)))
seen = {name: cv2.imread(name, cv2.IMREAD_COLOR)[0, 0].tolist() for name in ("red.ppm", "red.pam", "own.pam")}
first = Path("own.pam").read_bytes().partition(b"ENDHDR\n")[2][0]
print("PPM {}, PAM {}, PAM that OpenCV wrote {},".format(*seen.values()), f"whose first sample is blue: {first}")
sys.exit(not (list(seen.values()) == [[0, 0, 255], [255, 0, 0], [0, 0, 255]] and first == 0))
PYTHON
