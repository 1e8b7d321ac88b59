"""A camera that speaks RTSP over TCP on 127.0.0.1: H.264 of a plain picture, which grows lighter from frame to frame."""

from __future__ import annotations

import base64
import contextlib
import hashlib
import re
import socket
import struct
import threading
import time
from functools import cache
from itertools import count

import av
import numpy as np

FIRST_TICK = 1_234_567  # a camera's clock does not begin at 0
TICKS = 3600  # of 90 kHz: 25 frames a second
_START_CODE = re.compile(rb"\x00\x00\x00?\x01")


@cache
def nals_of(width, height, frames=10):
    """Each frame's NAL units, the first one a key frame with its parameter sets."""
    codec = av.CodecContext.create("libx264", "w")
    codec.width, codec.height, codec.pix_fmt, codec.framerate = width, height, "yuv420p", 25
    codec.options = {"preset": "ultrafast", "tune": "zerolatency", "x264-params": "scenecut=0:threads=1"}
    packets = []
    for index in range(frames):
        picture = np.full((height, width, 3), 20 + 20 * index, np.uint8)
        packets += codec.encode(av.VideoFrame.from_ndarray(picture, format="bgr24"))
    return [[nal for nal in _START_CODE.split(bytes(packet)) if nal] for packet in packets]


class RtspCamera:
    """It can be switched off and on, fall silent, change its size and its password, and damage every tenth frame."""

    def __init__(self, *, user="user", password=None, digest=True):
        self.port = 0
        self.user, self.password, self.digest = user, password, digest
        self.size = (64, 48)
        self.silent = False
        self.damages = False
        self.sent = 0
        self.requests = []
        self.switch_on()

    def url(self, password="secret"):
        return f"rtsp://{self.user}:{password}@127.0.0.1:{self.port}/live"

    def switch_on(self):
        self.on = True
        self._socket = socket.create_server(("127.0.0.1", self.port))
        self.port = self._socket.getsockname()[1]
        self._clients = []
        threading.Thread(target=self._listen, args=(self._socket, self._clients), daemon=True).start()

    def switch_off(self):
        self.on = False
        for each in (self._socket, *self._clients):
            with contextlib.suppress(OSError):
                each.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _listen(self, listener, clients):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            clients.append(client)
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        with client, client.makefile("rb") as lines, contextlib.suppress(OSError):
            while request := lines.readline():
                if request.startswith(b"$"):  # a receiver's report
                    rest = request[1:] + lines.read(max(0, 4 - len(request)))
                    lines.read(max(0, struct.unpack(">H", rest[1:3])[0] - len(rest) + 3))
                    continue
                headers = dict(line.split(b": ", 1) for line in iter(lambda: lines.readline().strip(), b""))
                method, where, _ = request.decode().split()
                self.requests.append((method, headers.get(b"Transport", b"").decode()))
                self._answer(client, method, where, {key.lower(): value for key, value in headers.items()})

    def _answer(self, client, method, where, headers):
        status, more, body = "200 OK", [], ""
        if not self._allowed(method, where, headers.get(b"authorization", b"").decode()):
            kind = 'Digest realm="cam", nonce="n1"' if self.digest else 'Basic realm="cam"'
            status, more = "401 Unauthorized", [f"WWW-Authenticate: {kind}"]
        elif method == "OPTIONS":
            more = ["Public: OPTIONS, DESCRIBE, SETUP, PLAY, TEARDOWN"]
        elif method == "DESCRIBE":
            body = (
                "v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 96\r\n"
                "a=rtpmap:96 H264/90000\r\na=fmtp:96 packetization-mode=1\r\na=control:track1\r\n"
            )
            more = ["Content-Type: application/sdp"]
        elif method == "SETUP":
            more = [f"Transport: {headers[b'transport'].decode()}", "Session: 1"]
        head = [
            f"RTSP/1.0 {status}",
            f"CSeq: {headers[b'cseq'].decode()}",
            *more,
            f"Content-Length: {len(body)}",
        ]
        client.sendall(("\r\n".join(head) + "\r\n\r\n" + body).encode())
        if (method, status) == ("PLAY", "200 OK"):  # FFmpeg throws away what comes before the answer
            threading.Thread(target=self._play, args=(client,), daemon=True).start()

    def _allowed(self, method, where, given):
        if self.password is None or method == "OPTIONS":
            return True
        if not self.digest:
            return given == "Basic " + base64.b64encode(f"{self.user}:{self.password}".encode()).decode()

        def md5(text):
            return hashlib.md5(text.encode()).hexdigest()

        expected = md5(f"{md5(f'{self.user}:cam:{self.password}')}:n1:{md5(f'{method}:{where}')}")
        return f'response="{expected}"' in given

    def _play(self, client):
        sequence, size, frames = count(), None, []
        with contextlib.suppress(OSError):
            for index in count():
                while self.silent and self.on:
                    time.sleep(0.01)
                if not self.on:
                    return
                if size != self.size or index % 10 == 0:
                    size, frames = self.size, iter(nals_of(*self.size) * 2)
                nals = next(frames)
                if self.damages and index % 10 == 5:
                    nals = [nal[:1] + bytes(len(nal) - 1) for nal in nals]
                for nal in nals:
                    last = nal is nals[-1]
                    head = struct.pack(
                        ">BBHII", 0x80, 96 | last << 7, next(sequence) & 0xFFFF, FIRST_TICK + index * TICKS, 7
                    )
                    client.sendall(b"$\x00" + struct.pack(">H", len(head) + len(nal)) + head + nal)
                self.sent = index + 1
                time.sleep(0.002)


@contextlib.contextmanager
def rtsp_camera(**options):
    camera = RtspCamera(**options)
    try:
        yield camera
    finally:
        if camera.on:
            camera.switch_off()
