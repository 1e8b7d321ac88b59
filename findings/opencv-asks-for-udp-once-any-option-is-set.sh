#!/usr/bin/env bash
# opencv-python-headless 5.0.0.93: RTSP is asked for over TCP first, unless the environment variable OPENCV_FFMPEG_CAPTURE_OPTIONS holds anything
# at all: then it is asked for over UDP first, also where the option has nothing to do with the transport.
# Expected: an option adds to what is so by default, as the text about the variable suggests:
# https://docs.opencv.org/5.x/d4/d15/group__videoio__flags__base.html
# The default is FFmpeg's `rtsp_flags=prefer_tcp`, set only where the variable is not. Over UDP a datagram that is lost damages
# pictures until the next key frame, and cameras behind a router or a firewall stay silent: whoever sets a time limit gets torn pictures.
# Matters to: edge/sources/live/options.py, which adds the user's options to `rtsp_transport=tcp`.
# Seen 2026-11-29, Python 3.11, x86-64, transports that a camera is asked for which refuses each:
#   not set: TCP, UDP, UDP
#   max_delay;500000: UDP, TCP, UDP
#   rtsp_transport;tcp|max_delay;500000: TCP
set -euo pipefail
folder=$(mktemp --directory)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check opencv-python-headless==5.0.0.93 numpy==2.4.6
cat >"$folder/ask.py" <<'PYTHON'
import socket
import threading

import cv2

SDP = b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 26\r\na=control:track1\r\n"
asked = []


def serve(listener):
    """A camera that refuses every transport with 461, and so hears which ones are tried."""
    client, _ = listener.accept()
    with client, client.makefile("rb") as lines:
        while (request := lines.readline()).strip():
            headers = dict(line.split(b": ", 1) for line in iter(lambda: lines.readline().strip(), b""))
            setup, describe = request.startswith(b"SETUP"), request.startswith(b"DESCRIBE")
            if setup:
                asked.append(headers[b"Transport"].decode().split(";")[0].removeprefix("RTP/AVP/"))
            status, body = b"461 Unsupported Transport" if setup else b"200 OK", SDP if describe else b""
            client.sendall(
                b"RTSP/1.0 %s\r\nCSeq: %s\r\nContent-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s"
                % (status, headers[b"CSeq"], len(body), body)
            )


with socket.create_server(("127.0.0.1", 0)) as listener:
    thread = threading.Thread(target=serve, args=(listener,), daemon=True)
    thread.start()
    cv2.VideoCapture(f"rtsp://127.0.0.1:{listener.getsockname()[1]}/x", cv2.CAP_FFMPEG)
    thread.join(10)
print(", ".join(asked))
PYTHON
ask() { env --unset OPENCV_FFMPEG_CAPTURE_OPTIONS OPENCV_FFMPEG_LOGLEVEL=-8 "$@" "$folder/venv/bin/python" "$folder/ask.py" 2>/dev/null; }
default=$(ask)
other=$(ask OPENCV_FFMPEG_CAPTURE_OPTIONS='max_delay;500000')
named=$(ask OPENCV_FFMPEG_CAPTURE_OPTIONS='rtsp_transport;tcp|max_delay;500000')
printf 'not set: %s\nmax_delay: %s\nrtsp_transport and max_delay: %s\n' "$default" "$other" "$named"
[[ $default == TCP* && $other == UDP* && $named == TCP ]] || { echo "finding no longer holds: $0" >&2; exit 1; }
