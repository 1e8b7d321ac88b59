"""What a source gives, and what it says when it cannot."""

from __future__ import annotations

import logging
import os
import socket
import threading
import time
from contextlib import closing
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import cv2
import numpy as np
import pytest

from edge import live
from edge.metrics import EdgeMetrics
from edge.opencv import quiet_opencv, to_bgr
from edge.reconnect import LONGEST_WAIT_S, Reconnecting
from edge.sources import open_source
from edge.synthetic import SCENE_SECONDS, Synthetic
from shared.errors import SettingsError, SourceError

CLIPS = Path(__file__).parents[3] / "shared" / "videos"

quiet_opencv()  # it works before the first video only, and here that is one that a test writes


def source_of(spec, open_timeout_s=2.0, read_timeout_s=0.4):
    return open_source(str(spec), open_timeout_s=open_timeout_s, read_timeout_s=read_timeout_s)


def frames_of(source):
    while (frame := source.read()) is not None:
        yield frame


def read_all(source):
    source.open()
    with closing(source):
        return list(frames_of(source))


def fails_to_open(spec, match, **timeouts):
    with pytest.raises(SourceError, match=match) as caught:
        source_of(spec, **timeouts).open()
    assert "\n" not in str(caught.value)
    return str(caught.value)


# --- synthetic ---------------------------------------------------------------------------------------------


class FakeTime:
    def __init__(self):
        self.now = 100.0
        self.slept = []

    def clock(self):
        return self.now

    def sleep(self, seconds):
        self.slept.append(seconds)
        self.now += seconds


def test_synthetic_frames_are_the_same_on_every_run():
    spec = "synthetic:fps=0,frames=8,width=100,height=70"
    first, second = read_all(source_of(spec)), read_all(source_of(spec))
    assert len(first) == len(second) == 8
    assert all(np.array_equal(a, b) for a, b in zip(first, second, strict=True))
    assert not np.array_equal(first[0], first[1]), "it moves"
    assert first[0].shape == (70, 100, 3)
    assert first[0].dtype == np.uint8
    assert first[0].flags.c_contiguous
    assert first[0].flags.writeable


def test_synthetic_pixels_are_those_of_every_machine():
    """Drawn with integers only, so a sum is a fair golden value."""
    picture = Synthetic("synthetic:width=64,height=64").draw(5)
    assert picture.astype(np.int64).sum(axis=(0, 1)).tolist() == [530010, 570586, 610845]


def test_synthetic_scenes_differ():
    source = Synthetic("synthetic:fps=5,width=64,height=64")
    scenes = [source.draw(index * SCENE_SECONDS * 5).astype(int) for index in range(7)]
    for a, b in pairwise(scenes):
        assert np.abs(a - b).mean() > 30
    assert source.draw(SCENE_SECONDS * 5 - 1).shape == (64, 64, 3)


def test_synthetic_is_paced_when_it_is_live():
    fake = FakeTime()
    source = Synthetic("synthetic:fps=4,frames=4,width=32,height=32", clock=fake.clock, sleep=fake.sleep)
    assert source.live
    frames = read_all(source)
    assert len(frames) == 4
    assert fake.slept == pytest.approx([0.25, 0.25, 0.25])


def test_synthetic_gives_a_late_reader_no_burst():
    fake = FakeTime()
    source = Synthetic("synthetic:fps=4,width=32,height=32", clock=fake.clock, sleep=fake.sleep)
    source.open()
    source.read()
    fake.now += 10
    source.read()
    source.read()
    assert fake.slept == pytest.approx([0.25])


def test_synthetic_as_fast_as_it_is_read():
    fake = FakeTime()
    source = Synthetic("synthetic:fps=0,frames=50,width=32,height=32", clock=fake.clock, sleep=fake.sleep)
    assert not source.live
    assert len(read_all(source)) == 50
    assert not fake.slept


def test_synthetic_can_be_closed_while_it_waits():
    source = source_of("synthetic:fps=0.01,width=32,height=32")
    source.open()
    assert source.read() is not None
    threading.Timer(0.05, source.close).start()
    assert source.read() is None


@pytest.mark.parametrize("spec", ["fps=-1", "fps=x", "frames=1.5", "width=0", "height=1e9", "size=3", "fps"])
def test_synthetic_options_are_checked(spec):
    with pytest.raises(SettingsError):
        source_of(f"synthetic:{spec}")


# --- files -------------------------------------------------------------------------------------------------


def write_clip(path, code, count=12):
    writer = cv2.VideoWriter(str(path), cv2.VideoWriter.fourcc(*code), 10, (64, 48))
    assert writer.isOpened()
    for index in range(count):
        writer.write(np.full((48, 64, 3), 20 * index % 240, np.uint8))
    writer.release()
    return path


@pytest.mark.parametrize(
    ("name", "code"), [("clip.avi", "MJPG"), ("a:b %d.mp4", "mp4v"), ("ünï.mkv", "mp4v")]
)
def test_file_gives_every_frame_in_order(tmp_path, caplog, name, code):
    source = source_of(write_clip(tmp_path / name, code))
    assert not source.live
    frames = read_all(source)
    assert [round(frame.mean() / 20) for frame in frames] == list(range(12))
    assert {frame.shape for frame in frames} == {(48, 64, 3)}
    assert frames[0].dtype == np.uint8
    assert len(read_all(source)) == 12, "it can be opened again"
    assert not caplog.records


def test_file_by_relative_path(tmp_path, monkeypatch):
    write_clip(tmp_path / "http:clip.avi", "MJPG")
    monkeypatch.chdir(tmp_path)
    assert len(read_all(source_of("http:clip.avi"))) == 12


def test_file_that_is_cut_says_how_much_is_missing(tmp_path, caplog, capfd):
    whole = write_clip(tmp_path / "whole.mkv", "mp4v", 30).read_bytes()
    cut = tmp_path / "cut.mkv"
    cut.write_bytes(whole[: len(whole) * 6 // 10])
    frames = read_all(source_of(cut))
    assert 0 < len(frames) < 30
    (record,) = caplog.records
    assert f"{len(frames)} of 30 announced frames" in record.getMessage()
    assert not capfd.readouterr().err, "OpenCV is silent"


def test_file_that_is_no_video(tmp_path, capfd):
    (tmp_path / "text.mp4").write_text("hello " * 1000)
    (tmp_path / "empty.mp4").touch()
    whole = write_clip(tmp_path / "whole.mp4", "mp4v").read_bytes()
    (tmp_path / "headless.mp4").write_bytes(whole[: len(whole) // 2])
    for name in ("text.mp4", "empty.mp4", "headless.mp4"):
        fails_to_open(tmp_path / name, "not a video")
    assert not capfd.readouterr().err, "OpenCV is silent"


def test_paths_that_are_no_source(tmp_path):
    fails_to_open(tmp_path / "nothing.mp4", "No such file")
    fails_to_open(tmp_path, "no pictures")
    os.mkfifo(tmp_path / "pipe")
    fails_to_open(tmp_path / "pipe", "neither a file nor a folder")
    fails_to_open("", "no source")


def test_file_that_may_not_be_read(tmp_path, monkeypatch):
    write_clip(tmp_path / "clip.avi", "MJPG")
    monkeypatch.setattr(os, "access", lambda path, mode: False)  # root may read everything
    fails_to_open(tmp_path / "clip.avi", "may not read it")


@pytest.mark.parametrize(("name", "frames"), [("car-detection.mp4", 377), ("bottle-detection.mp4", 1189)])
def test_real_clips(name, frames, caplog):
    if not (CLIPS / name).exists():
        pytest.skip(f"no ../shared/videos/{name}")
    source = source_of(CLIPS / name)
    source.open()
    with closing(source):
        assert sum(1 for _ in frames_of(source)) == frames
    assert not caplog.records


# --- pictures ----------------------------------------------------------------------------------------------


def write_pictures(folder, names):
    for level, name in enumerate(names):
        assert cv2.imwrite(str(folder / name), np.full((20 + level, 30, 3), 30 * level, np.uint8))


def test_folder_is_sorted_and_its_pictures_may_differ_in_size(tmp_path):
    write_pictures(tmp_path, ["b.png", "a.jpg", "d.webp", "c.BMP", "0.jpeg"])
    (tmp_path / "notes.txt").write_text("no picture")
    (tmp_path / "._a.jpg").write_text("left by a Mac")
    source = source_of(tmp_path)
    assert not source.live
    frames = read_all(source)
    assert [frame.shape[0] - 20 for frame in frames] == [4, 1, 0, 3, 2]
    assert len(read_all(source)) == 5
    assert len(read_all(source_of(tmp_path / "a.jpg"))) == 1


def test_folder_grey_and_transparent_pictures_become_bgr(tmp_path):
    for index, shape in enumerate([(8, 9), (8, 9, 3), (8, 9, 4)]):
        assert cv2.imwrite(str(tmp_path / f"{index}.png"), np.full(shape, 77, np.uint8))
    frames = read_all(source_of(tmp_path))
    assert [frame.shape for frame in frames] == [(8, 9, 3)] * 3
    assert {frame.dtype for frame in frames} == {np.dtype(np.uint8)}


@pytest.mark.parametrize("shape", [(4, 5), (4, 5, 1), (4, 5, 3), (4, 5, 4)])
def test_every_frame_becomes_bgr(shape):
    picture = to_bgr(np.full(shape, 9, np.uint8))
    assert picture.shape == (4, 5, 3)
    assert (picture == 9).all()


def test_folder_leaves_out_what_is_no_picture(tmp_path, caplog, capfd):
    write_pictures(tmp_path, ["a.png", "c.png"])
    (tmp_path / "b.jpg").write_text("no picture")
    source = source_of(tmp_path)
    assert len(read_all(source)) == 2
    assert source.skipped == 1
    (record,) = caplog.records
    assert "b.jpg" in record.getMessage()
    assert not capfd.readouterr().err


def test_folder_without_one_good_picture(tmp_path):
    (tmp_path / "b.jpg").write_text("no picture")
    with pytest.raises(SourceError, match="none of its 1 pictures"):
        read_all(source_of(tmp_path))


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


@pytest.fixture
def camera():
    camera = Camera()
    yield camera
    if camera.on:
        camera.switch_off()


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
        frames = [source.read() for _ in range(25)]
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


def test_stream_that_falls_silent_is_an_error(camera):
    source = source_of(camera.url, read_timeout_s=0.2)
    source.open()
    with closing(source):
        camera.silent = True
        start = time.monotonic()
        with pytest.raises(SourceError, match="silent"):
            while True:
                source.read()
        assert time.monotonic() - start < 1.5


def test_stream_can_be_closed_while_it_is_read(camera):
    source = source_of(camera.url, read_timeout_s=20)
    source.open()
    camera.silent = True
    start = time.monotonic()
    threading.Timer(0.05, source.close).start()
    with pytest.raises(SourceError):
        while True:
            source.read()
    assert time.monotonic() - start < 2


@pytest.mark.parametrize("scheme", ["http", "rtsp"])
def test_stream_that_never_answers(black_hole, scheme, capfd):
    start = time.monotonic()
    fails_to_open(f"{scheme}://127.0.0.1:{black_hole}/", "cannot be opened", open_timeout_s=0.2)
    assert time.monotonic() - start < 1.5
    assert not capfd.readouterr().err


@pytest.mark.parametrize("scheme", ["http", "rtsp"])
def test_stream_where_nobody_listens(nobody, scheme, capfd):
    start = time.monotonic()
    message = fails_to_open(
        f"{scheme}://user:secret@127.0.0.1:{nobody}/v", "check address", open_timeout_s=20
    )
    assert time.monotonic() - start < 1.5
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

    monkeypatch.setattr(live, "open_capture", open_hung)
    monkeypatch.setattr(live, "MARGIN_S", 0.01)
    monkeypatch.setattr(live, "_RELEASE_S", 0.01)
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


# --- reconnecting ------------------------------------------------------------------------------------------


class Scripted:
    """A live source that gives what its script says; an exception is raised."""

    live = True
    name = "scripted"

    def __init__(self, opens=(), reads=()):
        self.opens, self.reads = list(opens), list(reads)
        self.closed = 0

    def open(self):
        if self.opens and (error := self.opens.pop(0)):
            raise error

    def read(self):
        item = self.reads.pop(0)
        if isinstance(item, Exception):
            raise item
        return item

    def close(self):
        self.closed += 1


def reconnecting(source, **injected):
    metrics = EdgeMetrics()
    reconnect = Reconnecting(source, up=metrics.source_up, reconnects=metrics.source_reconnects, **injected)

    def value(name):
        return metrics.registry.get_sample_value(f"splitdnn_edge_{name}")

    return SimpleNamespace(
        source=reconnect, up=lambda: value("source_up"), attempts=lambda: value("source_reconnects_total")
    )


LOST = SourceError("lost")
FRAME = np.zeros((2, 2, 3), np.uint8)


def test_reconnecting_first_open_fails():
    kit = reconnecting(Scripted(opens=[LOST]))
    with pytest.raises(SourceError):
        kit.source.open()
    assert kit.attempts() == 0


def test_reconnecting_backs_off_and_says_so_once(caplog):
    caplog.set_level(logging.INFO)
    fake = FakeTime()
    source = Scripted(opens=[None, *[LOST] * 9, None], reads=[FRAME, LOST, FRAME])
    up_while_waiting = []

    def wait(seconds):
        up_while_waiting.append(kit.up())
        fake.sleep(seconds)

    kit = reconnecting(source, clock=fake.clock, wait=wait, jitter=lambda: 1.0)
    kit.source.open()
    assert kit.source.read() is FRAME
    assert kit.up() == 1
    assert kit.source.read() is FRAME
    assert kit.up() == 1
    assert kit.attempts() == 10
    assert fake.slept == [0.5, 1, 2, 4, 8, 16, 30, 30, 30, 30]
    assert not any(up_while_waiting)
    lost, back = (record.getMessage() for record in caplog.records)
    assert "lost: lost" in lost
    assert "back: scripted, after 151.5 s" in back


def test_reconnecting_jitters():
    fake = FakeTime()
    source = Scripted(opens=[None, LOST, LOST], reads=[LOST, FRAME])
    kit = reconnecting(source, clock=fake.clock, wait=fake.sleep, jitter=iter([0.0, 0.5, 0.25]).__next__)
    kit.source.open()
    kit.source.read()
    assert fake.slept == pytest.approx([0.25, 0.75, 1.25])


def test_reconnecting_does_not_hammer_what_is_lost_at_once():
    fake = FakeTime()
    kit = reconnecting(
        Scripted(reads=[LOST, LOST, LOST, FRAME, LOST, FRAME]),
        clock=fake.clock,
        wait=fake.sleep,
        jitter=lambda: 1.0,
    )
    kit.source.open()
    kit.source.read()
    assert fake.slept == [0.5, 1, 2]
    fake.now += LONGEST_WAIT_S + 1
    kit.source.read()
    assert fake.slept[3:] == [0.5]


def test_reconnecting_ends_with_what_has_an_end():
    kit = reconnecting(source_of("synthetic:fps=1000,frames=3,width=32,height=32"))
    assert kit.source.live
    assert len(read_all(kit.source)) == 3
    assert kit.up() == 0
    assert kit.attempts() == 0


def test_reconnecting_stops_at_once_while_it_waits():
    kit = reconnecting(Scripted(reads=[LOST]), jitter=lambda: 1000.0)
    kit.source.open()
    threading.Timer(0.05, kit.source.stop).start()
    start = time.monotonic()
    assert kit.source.read() is None
    assert kit.source.read() is None
    assert time.monotonic() - start < 2
    kit.source.close()
    assert kit.up() == 0


def test_reconnecting_to_a_camera_that_comes_back(camera, caplog):
    caplog.set_level(logging.INFO)
    waits = []

    def wait(seconds):
        waits.append(seconds)
        if len(waits) == 3:
            camera.switch_on()

    kit = reconnecting(source_of(camera.url), wait=wait)
    kit.source.open()
    with closing(kit.source):
        assert kit.source.read() is not None
        camera.switch_off()
        while len(waits) < 3:
            assert kit.source.read() is not None
        assert kit.source.read() is not None
        assert kit.up() == 1
        assert kit.attempts() == 3
    assert [record.levelname for record in caplog.records] == ["WARNING", "INFO"]
    assert "secret" not in caplog.text
