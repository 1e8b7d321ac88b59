#!/usr/bin/env bash
# Pillow 13.0.0: a PNG whose compressed data end, in good order, after fewer rows than its header says is opened, verified and decoded without an
# error or a warning; the rows that are not there are black.
# Expected: an error, as for a PNG whose file is cut off ("image file is truncated"), and as libpng has it ("Not enough image data"; OpenCV 5.0.0 gives no picture).
# Pillow's decoder is done when zlib is (Z_STREAM_END), whatever row it is at.
# Matters to: cloud/bodies/pictures/png.py, which counts the rows; edge/sources/pictures/reading.py reads PNGs of 8 bits by Pillow, too.
# Seen 2026-11-29, Python 3.11, x86-64: rows of 255 255 0 0 0 0 0 0, verify() content, OpenCV None
set -euo pipefail
folder=$(mktemp --directory)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check pillow==13.0.0 numpy==2.4.6 opencv-python-headless==5.0.0.93
seen=$("$folder/venv/bin/python" 2>/dev/null - <<'PYTHON'
import io
import struct
import zlib

import cv2
import numpy as np
from PIL import Image


def chunk(kind, data):
    return struct.pack(">I", len(data)) + kind + data + struct.pack(">I", zlib.crc32(kind + data))


rows = (b"\0" + b"\xff" * 24) * 2  # of eight
png = b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", 8, 8, 8, 2, 0, 0, 0))
png += chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")
Image.open(io.BytesIO(png)).verify()
found = np.asarray(Image.open(io.BytesIO(png)))[:, 0, 0]
print(*found, "OpenCV", cv2.imdecode(np.frombuffer(png, np.uint8), cv2.IMREAD_COLOR))
PYTHON
)
echo "$seen"
[ "$seen" = "255 255 0 0 0 0 0 0 OpenCV None" ] || { echo "finding no longer holds: $0" >&2; exit 1; }
