"""Webcams and streams: what they give, and what they say when they cannot."""

from __future__ import annotations

import os
import socket
import threading
from contextlib import closing
from pathlib import Path

import numpy as np
import pytest
from kits.sources import fails_to_open, running_camera, source_of

from edge.sources.live import capture as live_capture
from edge.sources.live import connection
from shared.errors import SourceError

# --- webcams -----------------------------------------------------------------------------------------------


def test_webcam_that_is_not_there():
    fails_to_open("97", "no camera /dev/video97; here: ")
    fails_to_open("/dev/video97", "no camera /dev/video97")


def test_webcam_that_is_no_camera(capfd):
    fails_to_open("/dev/null", "is it a camera")
    assert not capfd.readouterr().err


def test_webcam_names_the_group_that_may_use_it(monkeypatch):
    monkeypatch.setattr(os, "access", lambda path, mode: False)
    fails_to_open("/dev/null", f"join group {Path('/dev/null').stat().st_gid} ")


def test_a_number_is_a_webcam():
    assert source_of("0").name == "/dev/video0"
    assert source_of("0").live


# --- streams -----------------------------------------------------------------------------------------------


@pytest.fixture
def camera():
    with running_camera() as camera:
        yield camera


@pytest.fixture
def black_hole():
    """Accepts connections and never answers."""
    with socket.create_server(("127.0.0.1", 0)) as listener:
        yield listener.getsockname()[1]


@pytest.fixture
def nobody():
    """A port where nobody listens."""
    with socket.socket() as sock:
        sock.bind(("127.0.0.1", 0))
        yield sock.getsockname()[1]


def test_stream_is_read_in_order(camera):
    source = source_of(camera.url)
    assert source.live
    source.open()
    with closing(source):
        frames = [source.read().picture for _ in range(25)]
    assert {frame.shape for frame in frames} == {(48, 64, 3)}
    levels = [round(frame.mean() / 20) for frame in frames]
    assert levels == [(levels[0] + index) % 10 for index in range(25)]


def test_stream_that_dies_is_an_error(camera):
    source = source_of(camera.url)
    source.open()
    with closing(source):
        camera.switch_off()
        with pytest.raises(SourceError, match="no more pictures"):
            while True:
                source.read()


@pytest.fixture
def no_margin_of_ours(monkeypatch):
    """Whatever ends now, OpenCV has ended: a test that waits for our own limit does not end in time."""
    monkeypatch.setattr(live_capture, "MARGIN_S", 3600)


@pytest.mark.usefixtures("no_margin_of_ours")
def test_stream_that_falls_silent_is_an_error(camera):
    source = source_of(camera.url, read_timeout_s=0.2)
    source.open()
    with closing(source):
        camera.silent = True
        with pytest.raises(SourceError, match="it ended, was lost or fell silent"):
            while True:
                source.read()


def test_stream_can_be_closed_while_it_is_read(camera):
    source = source_of(camera.url, read_timeout_s=3600)
    source.open()
    camera.silent = True
    threading.Timer(0.05, source.close).start()
    with pytest.raises(SourceError, match=r"no more pictures|is closed"):
        while True:
            source.read()


@pytest.mark.usefixtures("no_margin_of_ours")
@pytest.mark.parametrize("scheme", ["http", "rtsp"])
def test_stream_that_never_answers(black_hole, scheme, capfd):
    fails_to_open(f"{scheme}://127.0.0.1:{black_hole}/", "cannot be opened", open_timeout_s=0.2)
    assert not capfd.readouterr().err


@pytest.mark.parametrize("scheme", ["http", "rtsp"])
def test_stream_where_nobody_listens(nobody, scheme, capfd):
    message = fails_to_open(
        f"{scheme}://user:secret@127.0.0.1:{nobody}/v", "cannot be opened.*check address", open_timeout_s=3600
    )
    assert "secret" not in message
    assert not capfd.readouterr().err


def test_rtsp_is_asked_for_over_tcp_and_nothing_else():
    """A camera that refuses every transport hears which ones are tried."""
    sdp = b"v=0\r\no=- 0 0 IN IP4 127.0.0.1\r\ns=x\r\nt=0 0\r\nm=video 0 RTP/AVP 26\r\na=control:track1\r\n"
    transports = []

    def serve(listener):
        client, _ = listener.accept()
        with client, client.makefile("rb") as lines:
            while (request := lines.readline()).strip():
                headers = dict(line.split(b": ", 1) for line in iter(lambda: lines.readline().strip(), b""))
                is_setup = request.startswith(b"SETUP")
                if is_setup:
                    transports.append(headers[b"Transport"].decode())
                body = sdp if request.startswith(b"DESCRIBE") else b""
                client.sendall(
                    b"RTSP/1.0 %s\r\nCSeq: %s\r\nContent-Type: application/sdp\r\nContent-Length: %d\r\n\r\n%s"
                    % (b"461 No" if is_setup else b"200 OK", headers[b"CSeq"], len(body), body)
                )

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        fails_to_open(f"rtsp://127.0.0.1:{listener.getsockname()[1]}/live", "cannot be opened")
    assert transports == ["RTP/AVP/TCP;unicast;interleaved=0-1"]


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("rtsp://user:secret@camera:8554/live", "rtsp://***@camera:8554/live"),
        ("rtsp://user:sec@ret@camera/live", "rtsp://***@camera/live"),
        ("rtsp://user:sec/ret@camera/live", None),
        ("rtsp://user:sec?ret@camera/live", None),
        ("rtsp://user:sec#ret@camera/live", None),
        ("https://camera/video?user=me&password=secret", "https://camera/video?…"),
        ("RTSP://camera/live", "RTSP://camera/live"),
    ],
)
def test_stream_hides_credentials(url, name):
    try:
        shown = source_of(url).name
    except SourceError as error:
        shown = str(error)
    assert "sec" not in shown
    assert "ret" not in shown
    assert name is None or shown == name


@pytest.mark.parametrize(
    "url", ["rtsp://", "rtsp://:554/x", "http://host:port/", "http://[::1/", "http://host:99999/"]
)
def test_stream_needs_a_host(url):
    with pytest.raises(SourceError, match="no such host or port"):
        source_of(url)


def test_stream_of_an_unknown_kind():
    with pytest.raises(SourceError, match="rtmp:// is no source; did you mean rtsp"):
        source_of("rtmp://user:secret@host/x")


class HungCapture:
    """A backend that gives one frame and then ignores every time limit."""

    def __init__(self, frames):
        self.frames = frames
        self.answer = threading.Event()
        self.released = threading.Event()

    def read(self):
        if self.frames:
            self.frames -= 1
            return True, np.zeros((4, 4, 3), np.uint8)
        self.answer.wait()
        return False, None

    def release(self):
        self.released.set()


@pytest.mark.parametrize("frames", [0, 1])
def test_capture_that_ignores_its_time_limit_is_given_up(monkeypatch, frames):
    hung = []

    def open_hung(*arguments):
        hung.append(HungCapture(frames))
        return hung[-1]

    monkeypatch.setattr(connection, "open_capture", open_hung)
    monkeypatch.setattr(live_capture, "MARGIN_S", 0.01)
    monkeypatch.setattr(connection, "_RELEASE_S", 0.01)
    source = source_of("http://camera/", open_timeout_s=0.01, read_timeout_s=0.01)
    for _ in range(4):
        with pytest.raises(SourceError, match="no picture"):
            source.open()
            source.read()
            source.read()
        source.close()
    with pytest.raises(SourceError, match="still hang"):
        source.open()
    assert len(hung) == 4, "threads do not pile up"
    for capture in hung:
        assert not capture.released.is_set(), "releasing what is being read would crash"
        capture.answer.set()
        assert capture.released.wait(5)
    for thread in threading.enumerate():
        if thread.name == "source":
            thread.join(5)
    with pytest.raises(SourceError, match="no picture"):
        source.open()  # connects again
        source.read()
        source.read()
    hung[-1].answer.set()
    source.close()
