"""What the tests of the sources share."""

from __future__ import annotations

import contextlib
import socket
import threading
import time
from contextlib import closing

import cv2
import numpy as np
import pytest

from edge.sources.opencv import quiet_opencv
from edge.sources.registry import open_source
from shared.errors import SourceError

quiet_opencv()  # it works before the first video only, and here that is one that a test writes


def source_of(spec, open_timeout_s=30.0, read_timeout_s=30.0):
    return open_source(str(spec), open_timeout_s=open_timeout_s, read_timeout_s=read_timeout_s)


def frames_of(source):
    while (shot := source.read()) is not None:
        yield shot.picture


def read_all(source):
    source.open()
    with closing(source):
        return list(frames_of(source))


def fails_to_open(spec, match, **timeouts):
    with pytest.raises(SourceError, match=match) as caught:
        source_of(spec, **timeouts).open()
    assert "\n" not in str(caught.value)
    return str(caught.value)


class FakeTime:
    def __init__(self):
        self.now = 100.0
        self.slept = []

    def clock(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


class Camera:
    """An MJPEG camera on 127.0.0.1 that can be switched off and on again, or fall silent."""

    HEAD = b"HTTP/1.1 200 OK\r\nContent-Type: multipart/x-mixed-replace; boundary=frame\r\n\r\n"

    def __init__(self):
        self.port = 0
        self.silent = False
        self.switch_on()

    @property
    def url(self):
        return f"http://user:secret@127.0.0.1:{self.port}/video?token=secret"

    def switch_on(self):
        self.on = True
        self._socket = socket.create_server(("127.0.0.1", self.port))
        self.port = self._socket.getsockname()[1]
        threading.Thread(target=self._listen, args=(self._socket,), daemon=True).start()

    def switch_off(self):
        self.on = False
        self._socket.shutdown(socket.SHUT_RDWR)  # wakes accept
        self._socket.close()

    def _listen(self, listener):
        while True:
            try:
                client, _ = listener.accept()
            except OSError:
                return
            threading.Thread(target=self._serve, args=(client,), daemon=True).start()

    def _serve(self, client):
        with client:
            try:
                client.recv(4096)
                client.sendall(self.HEAD)
                for index in range(10_000):
                    while self.silent and self.on:
                        time.sleep(0.01)
                    if not self.on:
                        return
                    picture = np.full((48, 64, 3), index % 10 * 20, np.uint8)
                    body = cv2.imencode(".jpg", picture)[1].tobytes()
                    head = b"--frame\r\nContent-Type: image/jpeg\r\nContent-Length: %d\r\n\r\n" % len(body)
                    client.sendall(head + body + b"\r\n")
                    time.sleep(0.002)
            except OSError:
                return  # the reader went away


@contextlib.contextmanager
def running_camera():
    camera = Camera()
    try:
        yield camera
    finally:
        if camera.on:
            camera.switch_off()
