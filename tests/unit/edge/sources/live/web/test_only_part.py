"""A camera that wraps one picture a request as if more of them followed."""

from __future__ import annotations

import pytest
from kits.web_camera import begin, first_snapshots, jpeg


@pytest.mark.parametrize("length", [False, True])
def test_a_camera_that_hangs_up_after_each_picture_is_asked_for_the_next(length):
    asked = []

    def answer(request):
        asked.append(1)
        body = jpeg(10 * len(asked))
        said = b"Content-Length: %d\r\n" % len(body) if length else b""
        begin(request, "multipart/x-mixed-replace; boundary=frame")
        request.wfile.write(b"--frame\r\nContent-Type: image/jpeg\r\n%s\r\n" % said + body)

    assert first_snapshots(answer, 4) == [(0, 10), (1, 20), (2, 30), (3, 40)]
