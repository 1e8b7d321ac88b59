#!/usr/bin/env bash
# av 18.1.0 (FFmpeg 8.1) and the program ffmpeg 9.0: the shape of pixels in a PNG (chunk pHYs) is written and read upside down. A picture with
# pixels twice as wide as high (`setsar=2`) gets pHYs 2 by 1, and a PNG with pHYs 2 by 1 is shown twice as wide.
# Expected: pHYs 1 by 2. Its numbers are "pixels per unit, X axis" and "pixels per unit, Y axis": two pixels a unit across and one
# down are pixels half as wide as high. https://www.w3.org/TR/png-3/#11pHYs
# What FFmpeg writes FFmpeg reads right, and so do players built on it, so nobody notices until another program follows the standard and
# squeezes what should be widened.
# Matters to: edge/sources/pictures, which does with pHYs what FFmpeg does, as what writes it is FFmpeg.
# Seen 2026-11-29, Python 3.11, x86-64:
#   setsar=2: pHYs 2 by 1; av reads the pixels of pHYs 2 by 1 as 2:1
set -euo pipefail
folder=$(mktemp --directory)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check av==18.1.0 imageio-ffmpeg==0.8.1 numpy==2.4.6
cd "$folder"
ffmpeg=$(venv/bin/python -c 'import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())')
"$ffmpeg" -v error -f lavfi -i testsrc=size=64x48 -frames:v 1 -update 1 -vf setsar=2 -pix_fmt rgb24 wide.png
venv/bin/python - <<'PYTHON' || { echo "finding no longer holds: $0" >&2; exit 1; }
import struct
import sys
from pathlib import Path

import av

data = Path("wide.png").read_bytes()
across, down, unit = struct.unpack_from(">IIB", data, data.index(b"pHYs") + 4)
with av.open("wide.png") as container:
    frame = next(container.decode(video=0))
    shape = container.streams.video[0].sample_aspect_ratio
print(f"setsar=2: pHYs {across} by {down}; av reads the pixels of pHYs {across} by {down} as {shape.numerator}:{shape.denominator}")
sys.exit(not (across == 2 * down and unit == 0 and shape == 2))
PYTHON
