"""What is read at an `http://` URL: pictures one a request, pictures in one answer, or a video."""

from __future__ import annotations

import logging
import socket
import threading
from contextlib import closing

import pytest
from kits.sources import running_camera, source_of
from kits.threads import ended
from kits.web_camera import asks_for_basic, begin, first_snapshots, jpeg, send, web_camera

from edge.sources.registry import open_source
from shared.errors import SourceError


def part(body, kind=b"image/jpeg"):
    return b"--frame\r\nContent-Type: %s\r\nContent-Length: %d\r\n\r\n%s\r\n" % (kind, len(body), body)


def multipart(*parts):
    """A camera that sends these parts, and hangs up; and the requests that it got."""
    requests = []

    def answer(request):
        requests.append(request.path)
        if not asks_for_basic(request, "me:s#cret"):
            begin(request, "multipart/x-mixed-replace; boundary=frame")
            request.wfile.write(b"".join(parts))

    return answer, requests


def read_to_end(source):
    shots = []
    with closing(source):
        source.open()
        try:
            while True:
                shots.append(source.read())
        except SourceError as error:
            return shots, str(error)


def test_a_broken_picture_costs_itself_only(caplog):
    broken = jpeg(90)[:2] + bytes(500) + b"\xff\xd9"
    cut = jpeg(90)[:-30]
    left_out = []
    answer, requests = multipart(
        *[part(each) for each in (jpeg(0), broken, jpeg(40), jpeg(60), cut, cut, jpeg(120))]
    )
    with web_camera(answer) as host:
        source = open_source(
            f"http://me:s%23cret@{host}/video", read_timeout_s=30, on_undecodable=lambda: left_out.append(1)
        )
        shots, message = read_to_end(source)
    assert [(shot.number, round(shot.picture.mean())) for shot in shots] == [
        (0, 0),
        (2, 40),
        (3, 60),
        (6, 120),
    ]
    assert {shot.media_time_s for shot in shots} == {None}
    assert "no more pictures" in message
    assert len(left_out) == 3
    assert len(requests) == 2, "once without the password"
    said = [record for record in caplog.records if record.name.startswith("edge")]
    assert len(said) == 2, "one line a run"
    assert said[1].getMessage().endswith("/video: a picture is left out, it is cut off")
    assert "s#cret" not in caplog.text


def test_parts_that_are_no_pictures_are_passed_over():
    left_out = []
    answer, _ = multipart(
        part(b"{}", b"application/json"), part(jpeg(40)), part(b"beep", b"audio/basic"), part(jpeg(60))
    )
    with web_camera(answer) as host:
        source = open_source(
            f"http://me:s%23cret@{host}/", read_timeout_s=30, on_undecodable=lambda: left_out.append(1)
        )
        shots, _ = read_to_end(source)
    assert [(shot.number, round(shot.picture.mean())) for shot in shots] == [(0, 40), (1, 60)]
    assert not left_out


def test_several_pictures_in_one_part_are_each_a_frame():
    answer, _ = multipart(part(jpeg(20) + jpeg(40) + jpeg(60)), part(jpeg(80)))
    with web_camera(answer) as host:
        shots, _ = read_to_end(open_source(f"http://me:s%23cret@{host}/", read_timeout_s=30))
    assert [(shot.number, round(shot.picture.mean())) for shot in shots] == [
        (0, 20),
        (1, 40),
        (2, 60),
        (3, 80),
    ]


def test_pictures_that_belong_to_one_are_one():
    first = jpeg(20)
    index = b"\xff\xe2\x00\x0aMPF\0\0\0\0\0"
    answer, _ = multipart(part(first[:2] + index + first[2:] + jpeg(40)), part(jpeg(80)))
    with web_camera(answer) as host:
        shots, _ = read_to_end(open_source(f"http://me:s%23cret@{host}/", read_timeout_s=30))
    assert [(shot.number, round(shot.picture.mean())) for shot in shots] == [(0, 20), (1, 80)]


def test_a_size_that_changes():
    answer, _ = multipart(part(jpeg(40)), part(jpeg(40, (24, 32))), part(jpeg(40, (100, 50))))
    with web_camera(answer) as host:
        shots, _ = read_to_end(open_source(f"http://me:s%23cret@{host}/", read_timeout_s=30))
    assert [shot.picture.shape[:2] for shot in shots] == [(48, 64), (24, 32), (100, 50)]


def test_a_camera_of_which_nothing_can_be_decoded_is_lost(monkeypatch):
    monkeypatch.setattr("edge.sources.live.capture.MARGIN_S", 0.05)

    def answer(request):
        begin(request, "multipart/x-mixed-replace; boundary=frame")
        while True:
            request.wfile.write(part(b"rubbish"))

    with (
        web_camera(answer) as host,
        pytest.raises(SourceError, match=r"gives no picture .*as \d+ could not be decoded"),
    ):
        source_of(f"http://{host}/", open_timeout_s=0.05, read_timeout_s=0.1).open()


@pytest.mark.parametrize(
    "content_type", ["image/jpeg", "Image/JPG; q=1", "application/octet-stream", "text/html", ""]
)
def test_a_picture_a_request_is_told_by_its_answer_not_by_its_name(content_type, caplog):
    caplog.set_level(logging.INFO)
    asked = []

    def answer(request):
        asked.append(request.headers["Cache-Control"])
        send(request, jpeg(10 * len(asked)), content_type)

    with web_camera(answer) as host:
        source = open_source(f"http://{host}/cgi-bin/video.mjpg?x=1", read_timeout_s=30, snapshot_fps=30)
        with closing(source):
            source.open()
            levels = [round(source.read().picture.mean()) for _ in range(4)]
    assert levels == [10, 20, 30, 40]
    assert set(asked) == {"no-cache"}
    assert "gives one picture a request; it is asked for one each 0.0333333 s" in caplog.text


@pytest.mark.parametrize("content_type", ["image/jpeg", "application/octet-stream", "text/html", ""])
@pytest.mark.parametrize("chunked", [False, True])
def test_a_picture_a_request_may_be_of_any_length(content_type, chunked):
    asked = []

    def answer(request):
        asked.append(1)
        body = jpeg(10 * len(asked))
        request.send_response(200)
        if content_type:
            request.send_header("Content-Type", content_type)
        if chunked:
            request.send_header("Transfer-Encoding", "chunked")
            body = b"%x\r\n%s\r\n0\r\n\r\n" % (len(body), body)
        request.end_headers()
        request.close_connection = not chunked
        request.wfile.write(body)

    assert first_snapshots(answer, 4) == [(0, 10), (1, 20), (2, 30), (3, 40)]


def test_a_page_is_named():
    with (
        web_camera(lambda request: send(request, b"<html>log in</html>", "text/html; charset=utf-8")) as host,
        pytest.raises(SourceError, match=r"answers with a page \(text/html\), neither a picture nor a video"),
    ):
        source_of(f"http://{host}/snap.jpg").open()


def test_a_refusal_is_named():
    with (
        web_camera(lambda request: send(request, status=404)) as host,
        pytest.raises(SourceError, match="status 404: it has no such path"),
    ):
        source_of(f"http://{host}/snap.jpg").open()


@pytest.mark.parametrize("content_type", ["video/mp2t", "application/octet-stream", ""])
def test_a_video_is_left_to_ffmpeg(content_type, clip_of_twelve):
    with web_camera(lambda request: send(request, clip_of_twelve, content_type)) as host:
        shots, message = read_to_end(source_of(f"http://{host}/x", read_timeout_s=30))
    assert [shot.number for shot in shots] == list(range(12))
    assert [round(shot.media_time_s - shots[0].media_time_s, 2) for shot in shots] == [
        n / 25 for n in range(12)
    ]
    assert "no more pictures" in message


def test_an_answer_that_is_hardly_http_is_left_to_ffmpeg_too(clip_of_twelve):
    def serve(listener):
        for _ in range(2):
            client, _ = listener.accept()
            with client:
                client.recv(4096)
                client.sendall(b"ICY 200 OK\r\nContent-Type: video/mp2t\r\n\r\n" + clip_of_twelve)

    with socket.create_server(("127.0.0.1", 0)) as listener:
        threading.Thread(target=serve, args=(listener,), daemon=True).start()
        shots, _ = read_to_end(
            source_of(f"http://127.0.0.1:{listener.getsockname()[1]}/x", read_timeout_s=30)
        )
    assert len(shots) == 12


def test_what_is_neither_says_so():
    with (
        web_camera(lambda request: send(request, b"hello " * 100, "text/plain")) as host,
        pytest.raises(SourceError, match=r"127\.0\.0\.1:[0-9]+/x: cannot be opened: Invalid data found"),
    ):
        source_of(f"http://{host}/x").open()


def test_it_can_be_closed_while_it_is_read():
    with running_camera() as camera:
        source = source_of(camera.url, read_timeout_s=3600)
        source.open()
        camera.silent = True
        timer = threading.Timer(0.05, source.close)
        timer.start()
        with pytest.raises(SourceError, match=r"no more pictures|is closed"):
            while True:
                source.read()
        timer.join()
    for thread in threading.enumerate():
        if thread.name == "source":
            assert ended(thread)
