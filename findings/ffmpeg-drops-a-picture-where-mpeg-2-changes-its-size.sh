#!/usr/bin/env bash
# av 18.1.0 (FFmpeg 8.1) and the program ffmpeg 9.0: where an MPEG-2 stream goes on with another size, the last picture before the
# change is not given. Every packet is decoded without a word, and one picture fewer comes out.
# Expected: all pictures. A sequence header may bring another size wherever a sequence begins (ISO/IEC 13818-2, 6.1.1), and
# the pictures before it are to be shown first; H.264, H.265 and MJPEG do so here.
# The decoder keeps each reference picture back until the next one, as pictures are shown in another order than they are sent, and
# frees what it keeps when it takes the new size. Recordings of television have such a place at every change of programme.
# Matters to: edge/sources/video/decoder/numbering.py: fewer pictures than packets are no damage by themselves.
# Seen 2026-11-29, Python 3.11, x86-64, twelve pictures of each size:
#   mpeg2video: 24 packets, av 23 pictures (11 and 12), ffmpeg 23
#   libx264: 24 packets, av 24 pictures (12 and 12), ffmpeg 24
set -euo pipefail
folder=$(mktemp --directory)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check av==18.1.0 imageio-ffmpeg==0.8.1 numpy==2.4.6
cd "$folder"
ffmpeg=$(venv/bin/python -c 'import imageio_ffmpeg; print(imageio_ffmpeg.get_ffmpeg_exe())')
for codec in mpeg2video libx264; do
    for size in 160x128 320x240; do
        "$ffmpeg" -v error -f lavfi -i testsrc=size=$size:rate=25:duration=0.48 -pix_fmt yuv420p -c:v $codec -bf 0 -f vob - >>$codec.mpg
    done
done
venv/bin/python - "$ffmpeg" <<'PYTHON' || { echo "finding no longer holds: $0" >&2; exit 1; }
import subprocess
import sys

import av

found = {}
for codec in ("mpeg2video", "libx264"):
    with av.open(f"{codec}.mpg") as container:
        packets = sum(packet.size > 0 for packet in container.demux(video=0))
    with av.open(f"{codec}.mpg") as container:
        widths = [frame.width for frame in container.decode(video=0)]
    command = [sys.argv[1], "-v", "error", "-i", f"{codec}.mpg", "-fps_mode", "passthrough", "-f", "framecrc", "-"]
    lines = subprocess.run(command, capture_output=True, check=True, text=True).stdout.splitlines()
    shown = sum(not line.startswith("#") for line in lines)
    each = (widths.count(160), widths.count(320))
    print(f"{codec}: {packets} packets, av {len(widths)} pictures ({each[0]} and {each[1]}), ffmpeg {shown}")
    found[codec] = (packets, *each, shown)
sys.exit(found != {"mpeg2video": (24, 11, 12, 23), "libx264": (24, 12, 12, 24)})
PYTHON
