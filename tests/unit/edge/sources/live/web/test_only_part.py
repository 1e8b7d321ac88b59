"""A camera that wraps one picture a request as if more of them followed."""

from __future__ import annotations

from contextlib import closing

import pytest
from kits.web_camera import begin, jpeg, web_camera

from edge.sources.registry import open_source


@pytest.mark.parametrize("length", [False, True])
def test_a_camera_that_hangs_up_after_each_picture_is_asked_for_the_next(length):
    asked = []

    def answer(request):
        asked.append(1)
        body = jpeg(10 * len(asked))
        said = b"Content-Length: %d\r\n" % len(body) if length else b""
        begin(request, "multipart/x-mixed-replace; boundary=frame")
        request.wfile.write(b"--frame\r\nContent-Type: image/jpeg\r\n%s\r\n" % said + body)

    with (
        web_camera(answer) as host,
        closing(open_source(f"http://{host}/", read_timeout_s=5, snapshot_fps=30)) as source,
    ):
        source.open()
        shots = [source.read() for _ in range(4)]
    assert [(shot.number, round(shot.picture.mean())) for shot in shots] == [
        (0, 10),
        (1, 20),
        (2, 30),
        (3, 40),
    ]
