#!/usr/bin/env bash
# av 18.1.0 (FFmpeg 8.1): a video that says "leave out so many columns on the left" (the cropping rectangle of H.264 and H.265) is decoded
# with these columns, unless they are a multiple of 64. The frame is then wider than its stream says, and everything in it lies
# too far to the right. opencv-python-headless 5.0.0.93 squeezes that wider picture into the stream's width.
# Expected: the picture without them, of the size that the stream has, as the program ffmpeg gives it.
# libavcodec crops on the left only where the pointers stay aligned, unless AV_CODEC_FLAG_UNALIGNED is set, which the documentation
# describes as a matter of speed: "Allow decoders to produce frames with data planes that are not aligned to CPU requirements
# (e.g. due to cropping)": https://ffmpeg.org/doxygen/trunk/group__lavc__core.html. ffmpeg crops by itself.
# Encoders that cut black borders, and `-bsf:v h264_metadata=crop_left=…`, make such videos.
# Matters to: edge/sources/video, which sets `codec_context.flags |= Flags.unaligned`.
# Seen 2026-11-29, Python 3.11, x86-64, 16 of 160 columns cropped on the left:
#   stream 144, frame 160, with the flag 144, ffmpeg 144; OpenCV 144 wide
#   brightness of the first column: frame 51, with the flag 69, OpenCV 51
set -euo pipefail
folder=$(mktemp --directory)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check opencv-python-headless==5.0.0.93 av==18.1.0 imageio-ffmpeg==0.8.1 numpy==2.4.6
cd "$folder"
ffmpeg=$(venv/bin/python -c 'import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())')
"$ffmpeg" -v error -f lavfi -i color=gray:size=160x120:rate=25:duration=0.4 \
    -vf "format=yuv420p,geq=lum='X+Y/2+30':cb=128:cr=128" -c:v libx264 -crf 5 -bf 0 plain.mp4
"$ffmpeg" -v error -i plain.mp4 -c copy -bsf:v h264_metadata=crop_left=16 cropped.mp4
venv/bin/python - "$ffmpeg" <<'PYTHON' || { echo "finding no longer holds: $0" >&2; exit 1; }
import subprocess
import sys

import av
import cv2
from av.codec.context import Flags


def decoded(*, unaligned):
    with av.open("cropped.mp4") as container:
        stream = container.streams.video[0]
        if unaligned:
            stream.codec_context.flags |= int(Flags.unaligned)
        frame = next(container.decode(stream))
        return stream.width, frame.to_ndarray(format="bgr24")


command = [sys.argv[1], "-v", "error", "-i", "cropped.mp4", "-frames:v", "1", "-pix_fmt", "gray", "-f", "rawvideo", "-"]
shown = len(subprocess.run(command, capture_output=True, check=True).stdout) // 120
width, plain = decoded(unaligned=False)
_, told = decoded(unaligned=True)
opencv = cv2.VideoCapture("cropped.mp4").read()[1]
print(f"stream {width}, frame {plain.shape[1]}, with the flag {told.shape[1]}, ffmpeg {shown}; OpenCV {opencv.shape[1]} wide")
first = [int(picture[60, 0, 0]) for picture in (plain, told, opencv)]
print(f"brightness of the first column: frame {first[0]}, with the flag {first[1]}, OpenCV {first[2]}")
widths = [width, plain.shape[1], told.shape[1], shown, opencv.shape[1]]
sys.exit(not (widths == [144, 160, 144, 144, 144] and abs(first[2] - first[0]) < 4 < first[1] - first[0]))
PYTHON
