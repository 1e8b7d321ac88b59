"""Streams over RTSP and from bare sockets: what they give, and what they say when they cannot."""

from __future__ import annotations

import itertools
import socket
import threading
from contextlib import closing

import pytest
from kits.rtsp_camera import rtsp_camera
from kits.sources import fails_to_open, source_of

from edge.sources.live import capture as live_capture
from shared.errors import SourceError


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


@pytest.fixture
def no_margin_of_ours(monkeypatch):
    """Whatever ends now, FFmpeg has ended: a test that waits for our own limit does not end in time."""
    monkeypatch.setattr(live_capture, "MARGIN_S", 3600)


def levels_of(shots):
    """Which of its ten pictures the camera sent: each is lighter than the one before."""
    return [round((shot.picture.mean() - 17) / 20) for shot in shots]


def test_rtsp_is_read_in_order():
    with rtsp_camera() as camera:
        source = source_of(camera.url(), read_timeout_s=30)
        assert source.live
        with closing(source):
            source.open()
            shots = [source.read() for _ in range(25)]
    assert {shot.picture.shape for shot in shots} == {(48, 64, 3)}
    assert [shot.number for shot in shots] == list(range(25))
    assert levels_of(shots) == [index % 10 for index in range(25)]
    times = [shot.media_time_s for shot in shots[1:]]
    assert [round(after - before, 3) for before, after in itertools.pairwise(times)] == [0.04] * 23
    assert not any(shot.damaged for shot in shots)


def test_a_frame_is_there_before_the_next_one_is_sent():
    with rtsp_camera() as camera, closing(source_of(camera.url(), read_timeout_s=2)) as source:
        source.open()
        for _ in range(40):
            source.read()
        camera.silent = True
        number = 0
        with pytest.raises(SourceError, match="no picture for"):
            while True:
                number = source.read().number
    assert number == camera.sent - 1


def test_rtsp_whose_size_changes():
    with rtsp_camera() as camera:
        source = source_of(camera.url(), read_timeout_s=30)
        with closing(source):
            source.open()
            assert source.read().picture.shape == (48, 64, 3)
            camera.size = (96, 80)
            while (shot := source.read()).picture.shape == (48, 64, 3):
                pass
            assert shot.picture.shape == (80, 96, 3)
            assert levels_of([shot]) == [0]


def test_a_damaged_frame_is_no_loss():
    with rtsp_camera() as camera:
        source = source_of(camera.url(), read_timeout_s=30)
        with closing(source):
            source.open()
            camera.damages = True
            shots = [source.read() for _ in range(60)]
    assert len({shot.number for shot in shots}) == 60
    assert [request for request, _ in camera.requests].count("PLAY") == 1, "one connection"


@pytest.mark.parametrize("digest", [True, False])
def test_passwords(digest):
    with rtsp_camera(password="p#s/s?@:% ü", digest=digest) as camera:
        source = source_of(camera.url("p%23s%2Fs%3F%40%3A%25 ü"), read_timeout_s=30)
        with closing(source):
            source.open()
            assert source.read().number == 0
        message = fails_to_open(camera.url("wrong"), "401 Unauthorized", read_timeout_s=30)
    assert "wrong" not in message


@pytest.mark.parametrize("value", ["", "max_delay;500000", "stimeout;1000000|nonsense", "fflags;nobuffer"])
def test_rtsp_is_asked_for_over_tcp_and_nothing_else(monkeypatch, value):
    monkeypatch.setenv("OPENCV_FFMPEG_CAPTURE_OPTIONS", value)
    with rtsp_camera() as camera, closing(source_of(camera.url(), read_timeout_s=30)) as source:
        source.open()
        source.read()
    setups = [transport for request, transport in camera.requests if request == "SETUP"]
    assert setups == ["RTP/AVP/TCP;unicast;interleaved=0-1"]


def test_a_stream_that_is_cut():
    with rtsp_camera() as camera, closing(source_of(camera.url(), read_timeout_s=30)) as source:
        source.open()
        camera.switch_off()
        with pytest.raises(SourceError, match=r"no more pictures|reading failed"):
            while True:
                source.read()
        fails_to_open(camera.url(), "Connection refused; check address|Connection refused")
        camera.switch_on()
        source.open()
        assert source.read().number > 0, "they go on"


@pytest.mark.usefixtures("no_margin_of_ours")
def test_a_stream_that_falls_silent():
    with rtsp_camera() as camera, closing(source_of(camera.url(), read_timeout_s=1)) as source:
        source.open()
        camera.silent = True
        with pytest.raises(SourceError, match=r"/live: no picture for 1 s$"):
            while True:
                source.read()


@pytest.mark.usefixtures("no_margin_of_ours")
def test_a_camera_that_opens_and_plays_nothing():
    with rtsp_camera() as camera:
        camera.silent = True
        fails_to_open(
            camera.url(),
            "no picture for 0.3 s; it can be opened, but has sent none yet",
            open_timeout_s=2.0,
            read_timeout_s=0.3,
        )


@pytest.mark.usefixtures("no_margin_of_ours")
@pytest.mark.parametrize("scheme", ["http", "rtsp", "rtmp", "tcp"])
def test_a_stream_that_never_answers(black_hole, scheme, capfd):
    message = fails_to_open(
        f"{scheme}://me:secret@127.0.0.1:{black_hole}/", "127.0.0.1", open_timeout_s=0.2, read_timeout_s=0.4
    )
    assert "can be connected to, but sends no video" in message or "no answer" in message, message
    assert "secret" not in message
    assert not capfd.readouterr().err


@pytest.mark.parametrize("scheme", ["http", "rtsp", "rtmp", "tcp"])
def test_a_stream_where_nobody_listens(nobody, scheme, capfd):
    message = fails_to_open(
        f"{scheme}://user:secret@127.0.0.1:{nobody}/v", "Connection refused", open_timeout_s=3600
    )
    assert "secret" not in message
    assert not capfd.readouterr().err


def test_a_host_that_is_not_there():
    fails_to_open("rtsp://no-such-host.invalid/x", "there is no such host")


def test_what_is_sent_to_a_bare_socket(clip_of_twelve):
    def serve(listener):
        client, _ = listener.accept()
        with client:
            client.sendall(clip_of_twelve)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        with closing(source_of(f"tcp://127.0.0.1:{listener.getsockname()[1]}", read_timeout_s=30)) as source:
            source.open()
            assert [source.read().number for _ in range(12)] == list(range(12))


@pytest.mark.parametrize(
    ("url", "name"),
    [
        ("rtsp://user:secret@camera:8554/live", "rtsp://***@camera:8554/live"),
        ("rtsp://user:sec@ret@camera/live", "rtsp://***@camera/live"),
        ("rtsp://user:sec/ret@camera/live", None),
        ("https://camera/video?user=me&password=secret", "https://camera/video?…"),
        ("RTSP://camera/live", "RTSP://camera/live"),
    ],
)
def test_a_stream_hides_credentials(url, name):
    try:
        shown = source_of(url).name
    except SourceError as error:
        shown = str(error)
    assert "sec" not in shown
    assert "ret" not in shown
    assert name is None or shown == name
