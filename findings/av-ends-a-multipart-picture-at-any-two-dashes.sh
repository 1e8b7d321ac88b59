#!/usr/bin/env bash
# av 18.1.0 (FFmpeg 8.1.2): in a `multipart/x-mixed-replace` answer, as cameras send pictures, a part without a length ends at the
# first line that begins with `--`, whatever the boundary is, also with the demuxer's option `strict_mime_boundary=1`. The
# stream then ends with "Invalid data". A part of another type than image/jpeg ends it likewise.
# Expected: a part ends at a line break, `--` and the boundary that the answer's head declares, and parts may be of any type
# (RFC 2046, 5.1.1: https://www.rfc-editor.org/rfc/rfc2046#section-5.1.1). A length is not required.
# The four bytes are seldom in a JPEG by chance, once in some forty thousand pictures of 100 kB: a camera that sends 25 a second loses its
# connection every half an hour, and nobody sees why.
# Matters to: edge/sources/live/web/multipart.py, which reads such answers itself.
# Seen 2026-11-29, Python 3.11, x86-64 (the picture has 614 bytes, `\r\n--x` is in its comment):
#   with lengths: 8 pictures of 614 bytes
#   without: 605 bytes, 6 bytes, InvalidDataError
#   without, strict_mime_boundary=1: 605 bytes, 6 bytes, InvalidDataError
#   with lengths, the third part is text/plain: 605 bytes, 605 bytes, InvalidDataError
set -euo pipefail
folder=$(mktemp --directory)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check av==18.1.0 numpy==2.4.6
"$folder/venv/bin/python" - <<'PYTHON' || { echo "finding no longer holds: $0" >&2; exit 1; }
import socket
import sys
import threading
from fractions import Fraction

import av
import numpy as np


def jpeg(comment=b""):
    """A plain JPEG, with a comment if one is given."""
    encoder = av.CodecContext.create("mjpeg", "w")
    encoder.width, encoder.height, encoder.pix_fmt, encoder.time_base = 64, 48, "yuvj420p", Fraction(1, 25)
    frame = av.VideoFrame.from_ndarray(np.full((48, 64, 3), 100, np.uint8), format="rgb24")
    frame.pts = 0
    data = bytes((encoder.encode(frame) + encoder.encode())[0])
    segment = b"\xff\xfe" + (len(comment) + 2).to_bytes(2) + comment
    return data[:2] + (segment if comment else b"") + data[2:]


def part(body, kind, *, length):
    size = b"Content-Length: %d\r\n" % len(body) if length else b""
    return b"--frame\r\nContent-Type: " + kind + b"\r\n" + size + b"\r\n" + body + b"\r\n"


def read(parts, **options):
    """The sizes of the packets that come of an answer of these parts, and how it ends."""

    def serve():
        client, _ = listener.accept()
        with client:
            client.recv(4096)
            head = b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n"
            client.sendall(head + b"".join(parts))

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, daemon=True).start()
        found = []
        url = f"http://127.0.0.1:{listener.getsockname()[1]}/"
        with av.open(url, options=options, timeout=5) as container:
            try:
                for packet in container.demux(video=0):
                    found.append(packet.size)
            except av.error.InvalidDataError as error:
                found.append(type(error).__name__)
            except OSError:  # how it ends if all goes well
                pass
    return found


plain, odd = jpeg(), jpeg(b"\r\n--x")
JPEG = b"image/jpeg"
lengths = read([part(odd, JPEG, length=True)] * 8)
without = [part(plain, JPEG, length=False), *[part(odd, JPEG, length=False)] * 8]
loose, strict = read(without), read(without, strict_mime_boundary="1")
mixed = read([*[part(plain, JPEG, length=True)] * 2, part(b"x", b"text/plain", length=True), *[part(plain, JPEG, length=True)] * 8])
print("lengths", lengths, "without", loose, "strict", strict, "mixed", mixed)
holds = (
    lengths[:8] == [len(odd)] * 8
    and loose[1] == strict[1] == 6
    and loose[-1] == strict[-1] == mixed[-1] == "InvalidDataError"
    and len(mixed) == 3
)
sys.exit(not holds)
PYTHON
