#!/usr/bin/env bash
#
# PyAV 18.1.0: once `frame.side_data` was read, a decoded frame is part of a cycle of references. It is no longer freed when
# the last name for it goes, but when Python's collector of cycles comes by.
#
# Why it surprises: a frame holds megabytes that Python's collector does not see. It counts objects, and runs every few
# hundred of them; a loop that decodes a video, looks for a rotation in each frame's side data and forgets the frame, holds
# dozens of whole pictures at any time: hundreds of megabytes at 1080p. Without that look it holds one.
#
# What to do: read the side data of a copy of a few pixels (`reformat` keeps side data), so that the cycle holds nothing large.
#
# Matters to: edge/sources/video/shown/bare.py. An edge with eight cameras of 768x432 took 1.67 times the memory of one, and 1.25
# times without the cycles.
# Seen 2026-11-29, PyAV 18.1.0 (FFmpeg 8.1), Python 3.11:
#   frames alive of 20 that were forgotten: 0, after their side data was read 20

set -euo pipefail
folder=$(mktemp -d)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check av==18.1.0 numpy==2.4.6

seen=$("$folder/venv/bin/python" - <<'PYTHON'
import gc

import av
import numpy as np

gc.disable()


def alive(look):
    for _ in range(20):
        frame = av.VideoFrame.from_ndarray(np.zeros((48, 64, 3), np.uint8), format="bgr24")
        if look:
            list(frame.side_data)
        del frame
    count = sum(isinstance(each, av.VideoFrame) for each in gc.get_objects())
    gc.collect()
    return count


print(f"frames alive of 20 that were forgotten: {alive(look=False)}, after their side data was read {alive(look=True)}")
PYTHON
)
echo "$seen"
[ "$seen" = "frames alive of 20 that were forgotten: 0, after their side data was read 20" ] || {
    echo "finding no longer holds: $0" >&2
    exit 1
}
