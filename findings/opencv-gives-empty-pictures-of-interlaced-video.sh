#!/usr/bin/env bash
# opencv-python-headless 5.0.0.93: `VideoCapture.read` gives (True, an array that nobody has written to) for every interlaced frame
# of a video: zeros, mostly. Nothing is raised; FFmpeg's message on the conversion that failed is on stderr, and easily switched off.
# Expected: the picture, woven of two fields as every other reader gives it, or False: "If no frames has been grabbed …, the
# method returns false and the function returns empty image": https://docs.opencv.org/4.x/d8/dfe/classcv_1_1VideoCapture.html
# libswscale refuses to convert a frame that is marked interlaced into one that is not, and `retrieve` does not look at that:
# https://github.com/vllm-project/vllm/pull/47853 (there with 4.13). Television, recorders of analogue cameras and camcorders
# send such frames; a detector that looks at them sees nothing, for ever.
# Matters to: edge/sources/video, which reads with PyAV and deinterlaces what is marked.
# Seen 2026-11-29, Python 3.11, x86-64, the same still scene, mean brightness:
#   progressive: read True, OpenCV 144, ffmpeg 144
#   interlaced: read True, OpenCV 0 (or 7: it is what lay there), ffmpeg 144
set -euo pipefail
folder=$(mktemp --directory)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check opencv-python-headless==5.0.0.93 imageio-ffmpeg==0.8.1 numpy==2.4.6
cd "$folder"
ffmpeg=$(venv/bin/python -c 'import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())')
"$ffmpeg" -v error -f lavfi -i color=gray:size=160x120:rate=25:duration=0.4 \
    -vf "format=yuv420p,geq=lum='X+Y/2+30':cb=128:cr=128" -c:v libx264 -crf 5  progressive.mp4
"$ffmpeg" -v error -f lavfi -i color=gray:size=160x120:rate=25:duration=0.4 \
    -vf "format=yuv420p,geq=lum='X+Y/2+30':cb=128:cr=128,setfield=tff" -c:v libx264 -crf 5 -flags +ilme+ildct -x264-params tff=1 interlaced.mp4
venv/bin/python - "$ffmpeg" <<'PYTHON' || { echo "finding no longer holds: $0" >&2; exit 1; }
import os
import subprocess
import sys

os.environ["OPENCV_FFMPEG_LOGLEVEL"] = "-8"
import cv2
import numpy as np

found = {}
for name in ("progressive", "interlaced"):
    command = [sys.argv[1], "-v", "error", "-i", f"{name}.mp4", "-frames:v", "1", "-pix_fmt", "bgr24", "-f", "rawvideo", "-"]
    shown = np.frombuffer(subprocess.run(command, capture_output=True, check=True).stdout, np.uint8).reshape(120, 160, 3)
    read, picture = cv2.VideoCapture(f"{name}.mp4").read()
    found[name] = (read, round(float(picture.mean())), round(float(shown.mean())))
    print("{}: read {}, OpenCV {}, ffmpeg {}".format(name, *found[name]))
(right, same, plain), (read, empty, woven) = found["progressive"], found["interlaced"]
sys.exit(not (right and read and abs(same - plain) < 3 and abs(woven - plain) < 3 and empty < woven / 2))
PYTHON
