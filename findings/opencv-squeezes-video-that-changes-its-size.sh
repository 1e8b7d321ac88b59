#!/usr/bin/env bash
# opencv-python-headless 5.0.0.93: where the pictures of a video change their size or shape, all are resized to one of the sizes (the first,
# or in a short file the last), their proportions lost. A camera that is turned upright gives people as wide as they are tall. Nothing is said.
# Expected: pictures of their own size, or an error. `VideoCapture::read` promises "the video frame", and CAP_PROP_FRAME_WIDTH, which
# stays as it was, is "Width of the frames in the video stream":
# https://docs.opencv.org/4.x/d4/d15/group__videoio__flags__base.html
# Cameras change size when their profile is changed, WebRTC recorders all the time, and recorders that join files. A test of
# what happens was put on a list in 2017 and not made: https://github.com/openmpf/openmpf/issues/167
# Matters to: edge/sources/video, which reads with PyAV and makes its scaler anew when a frame has another size.
# Seen 2026-11-29, Python 3.11, x86-64, five frames of each size in the stream:
#   av gives 10 frames: 160x96, 96x160; OpenCV gives 10 frames: 96x160
set -euo pipefail
folder=$(mktemp --directory)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check opencv-python-headless==5.0.0.93 av==18.1.0 imageio-ffmpeg==0.8.1 numpy==2.4.6
cd "$folder"
ffmpeg=$(venv/bin/python -c 'import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())')
for size in 160x96 96x160; do
    "$ffmpeg" -v error -f lavfi -i testsrc=size=$size:rate=25:duration=0.2 -pix_fmt yuv420p -c:v libx264 -bf 0 -f h264 - >>both.h264
done
venv/bin/python - "$ffmpeg" <<'PYTHON' || { echo "finding no longer holds: $0" >&2; exit 1; }
import sys

import av
import cv2

with av.open("both.h264") as container:
    by_av = [(frame.width, frame.height) for frame in container.decode(video=0)]
capture, by_opencv = cv2.VideoCapture("both.h264"), []
while True:
    read, picture = capture.read()
    if not read:
        break
    by_opencv.append((picture.shape[1], picture.shape[0]))
for name, sizes in (("av", by_av), ("OpenCV", by_opencv)):
    print(f"{name} gives {len(sizes)} frames:", ", ".join(f"{w}x{h}" for w, h in dict.fromkeys(sizes)))
sys.exit(not (by_av == [(160, 96)] * 5 + [(96, 160)] * 5 and len(by_opencv) == 10 and len(set(by_opencv)) == 1))
PYTHON
