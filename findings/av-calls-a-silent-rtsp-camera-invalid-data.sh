#!/usr/bin/env bash
# av 18.1.0 (FFmpeg 8.1.2): where an RTSP server takes the connection and then says nothing, `av.open(url, timeout=(1, 1))` raises InvalidDataError
# ("Invalid data found when processing input") after that second. Over HTTP it raises ExitError, which is how PyAV tells a time limit.
# Expected: one error for one thing; "invalid data" where not one byte came sends people to look for a broken stream.
# https://pyav.org/docs/stable/api/_globals.html says of `timeout`: "How many seconds to wait for data before giving up".
# The time limit interrupts the read of the reply to OPTIONS; FFmpeg's RTSP client takes what it has, nothing, for a reply that it cannot parse.
# Matters to: edge/sources/live/video_feed.py, which connects once more to tell whether anybody is there.
# Seen 2026-11-29, Python 3.11, x86-64: rtsp InvalidDataError, http ExitError
set -euo pipefail
folder=$(mktemp --directory)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check av==18.1.0
seen=$("$folder/venv/bin/python" - <<'PYTHON'
import socket

import av

found = []
with socket.create_server(("127.0.0.1", 0)) as listener:  # the system takes the connection, and nobody answers
    for scheme in ("rtsp", "http"):
        try:
            av.open(f"{scheme}://127.0.0.1:{listener.getsockname()[1]}/x", timeout=(1.0, 1.0))
        except av.error.FFmpegError as error:
            found.append(f"{scheme} {type(error).__name__}")
print(", ".join(found))
PYTHON
)
echo "$seen"
[ "$seen" = "rtsp InvalidDataError, http ExitError" ] || { echo "finding no longer holds: $0" >&2; exit 1; }
