#!/usr/bin/env bash
# av 18.1.0 (FFmpeg 8.1): where an H.264 stream says by a message of its own (SEI, "display orientation") that the camera was held upright,
# only the first frame has a display matrix; all others look as if nothing had been said. The program ffmpeg turns every frame.
# Expected: the matrix on every frame. The message is sent with display_orientation_repetition_period 1, which by H.264, D.2.27, makes it
# persist "until … a new coded video sequence begins, the bitstream ends" or another one comes.
# https://www.itu.int/rec/T-REC-H.264
# It bites whoever turns frames by their own matrix: the first picture is upright and the rest lie on their side; and whoever
# looks at the stream: the container says nothing.
# Matters to: edge/sources/video/shown/geometry.py, which keeps a matrix until another comes.
# Seen 2026-11-29, Python 3.11, x86-64, ten frames, key frames at 0 and 5:
#   av's rotation [90, 0, 0, 0, 0, 0, 0, 0, 0, 0]; ffmpeg gives 10 frames of 120x160
set -euo pipefail
folder=$(mktemp --directory)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check av==18.1.0 imageio-ffmpeg==0.8.1 numpy==2.4.6
cd "$folder"
ffmpeg=$(venv/bin/python -c 'import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())')
"$ffmpeg" -v error -f lavfi -i testsrc=size=160x120:rate=10:duration=1 -pix_fmt yuv420p -c:v libx264 -bf 0 -g 5 plain.mp4
"$ffmpeg" -v error -i plain.mp4 -c copy -bsf:v h264_metadata=rotate=90:display_orientation=insert told.mp4
venv/bin/python - "$ffmpeg" <<'PYTHON' || { echo "finding no longer holds: $0" >&2; exit 1; }
import subprocess
import sys

import av

with av.open("told.mp4") as container:
    rotations = [int(frame.rotation) for frame in container.decode(video=0)]
command = [sys.argv[1], "-v", "error", "-i", "told.mp4", "-noautoscale", "-c:v", "ppm", "-f", "image2pipe", "-"]
upright = subprocess.run(command, capture_output=True, check=True).stdout.count(b"P6\n120 160\n")
print(f"av's rotation {rotations}; ffmpeg gives {upright} frames of 120x160")
sys.exit(not (rotations == [90] + [0] * 9 and upright == 10))
PYTHON
