#!/usr/bin/env bash
# opencv-python-headless 5.0.0.93: a video whose container says that it is mirrored (the display matrix of MP4, QuickTime and
# Matroska) is turned by 180 degrees instead: what was to be mirrored left to right comes upside down and not mirrored. One that is to
# be mirrored top to bottom is left as it is. av 18.1.0 gives the same two angles as `frame.rotation`, -180 and 0.
# Expected: the mirrored picture, as ffmpeg and players show it, since CAP_PROP_ORIENTATION_AUTO is on by default: "rotates output
# frames of CvCapture considering video file's metadata":
# https://docs.opencv.org/4.x/d4/d15/group__videoio__flags__base.html
# Both ask FFmpeg's `av_display_rotation_get`, which takes a matrix for a pure rotation and cannot say "mirrored"; the sign of
# the matrix's determinant says it. mpv had the same: https://github.com/mpv-player/mpv/pull/16090
# Front cameras of telephones, door cameras and dashboard cameras write such matrices.
# Matters to: edge/sources/video/shown/geometry.py, which applies the matrix and not an angle.
# Seen 2026-11-29, Python 3.11, x86-64, brightness at the corners, top left, top right, bottom left, bottom right:
#   plain: ffmpeg [16, 201, 85, 255], OpenCV [16, 201, 85, 255], av's rotation 0
#   mirrored: ffmpeg [201, 16, 255, 85], OpenCV [255, 85, 201, 16], av's rotation -180
#   upside-down: ffmpeg [85, 255, 16, 201], OpenCV [16, 201, 85, 255], av's rotation 0
set -euo pipefail
folder=$(mktemp --directory)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check opencv-python-headless==5.0.0.93 av==18.1.0 imageio-ffmpeg==0.8.1 numpy==2.4.6
cd "$folder"
ffmpeg=$(venv/bin/python -c 'import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())')
"$ffmpeg" -v error -f lavfi -i color=gray:size=160x120:rate=25:duration=0.4 \
    -vf "format=yuv420p,geq=lum='X+Y/2+30':cb=128:cr=128" -c:v libx264 -crf 5 -bf 0 plain.mp4
"$ffmpeg" -v error -display_hflip -i plain.mp4 -c copy mirrored.mp4
"$ffmpeg" -v error -display_vflip -i plain.mp4 -c copy upside-down.mp4
venv/bin/python - "$ffmpeg" <<'PYTHON' || { echo "finding no longer holds: $0" >&2; exit 1; }
import subprocess
import sys

import av
import cv2
import numpy as np


def corners(picture):
    return [int(picture[y, x]) for y in (0, -1) for x in (0, -1)]


seen = {}
for name in ("plain", "mirrored", "upside-down"):
    command = [sys.argv[1], "-v", "error", "-i", f"{name}.mp4", "-frames:v", "1", "-pix_fmt", "gray", "-f", "rawvideo", "-"]
    shown = np.frombuffer(subprocess.run(command, capture_output=True, check=True).stdout, np.uint8).reshape(120, 160)
    picture = cv2.VideoCapture(f"{name}.mp4").read()[1][..., 0]
    with av.open(f"{name}.mp4") as container:
        rotation = next(container.decode(video=0)).rotation
    seen[name] = (corners(shown), corners(picture), rotation)
    print("{}: ffmpeg {}, OpenCV {}, av's rotation {}".format(name, *seen[name]))


def near(one, other):
    return np.abs(np.subtract(one, other)).max() < 10  # ffmpeg's grey is of limited range, or the codec's error


plain = seen["plain"][1]
mirrored, upside_down = seen["mirrored"], seen["upside-down"]
holds = near(mirrored[1], plain[::-1]) and near(upside_down[1], plain)
holds = holds and abs(mirrored[2]) == 180 and upside_down[2] == 0
right = not near(mirrored[0], seen["plain"][0][::-1]) and not near(upside_down[0], seen["plain"][0])
sys.exit(not (holds and right))
PYTHON
