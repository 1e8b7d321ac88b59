"""A camera that speaks HTTP on 127.0.0.1, and does what a test says."""

from __future__ import annotations

import base64
import contextlib
import http.server
import threading

import cv2
import numpy as np

from edge.sources.registry import open_source


class _Server(http.server.ThreadingHTTPServer):
    daemon_threads = True

    def handle_error(self, request, client_address):
        """The reader went away."""


@contextlib.contextmanager
def web_camera(answer):
    """Serve `answer(request)` for every GET; gives the host and port as they are written in a URL."""

    class Handler(http.server.BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"

        def log_message(self, *arguments):
            """Say nothing."""

        def do_GET(self):
            answer(self)

    server = _Server(("127.0.0.1", 0), Handler)
    thread = threading.Thread(target=server.serve_forever, kwargs={"poll_interval": 0.01}, daemon=True)
    thread.start()
    try:
        yield f"127.0.0.1:{server.server_address[1]}"
    finally:
        server.shutdown()
        server.server_close()


def send(request, body=b"", content_type="image/jpeg", *, status=200, **headers):
    """Answer with `body`; header names are written with _ for -."""
    request.send_response(status)
    if content_type:
        request.send_header("Content-Type", content_type)
    for name, value in headers.items():
        request.send_header(name.replace("_", "-"), value)
    request.send_header("Content-Length", str(len(body)))
    request.end_headers()
    request.wfile.write(body)


def begin(request, content_type):
    """Answer with a body that ends with the connection."""
    request.send_response(200)
    request.send_header("Content-Type", content_type)
    request.end_headers()
    request.close_connection = True


def jpeg(level, size=(48, 64)):
    """A plain picture."""
    return cv2.imencode(".jpg", np.full((*size, 3), level, np.uint8))[1].tobytes()


def asks_for_basic(request, password):
    """Whether the right password came; otherwise it is asked for."""
    if request.headers.get("Authorization") == "Basic " + base64.b64encode(password.encode()).decode():
        return False
    send(request, status=401, WWW_Authenticate='Basic realm="camera"')
    return True


def first_snapshots(answer, count):
    """The number of each of the first frames of a camera that answers so, and how bright it is."""
    with (
        web_camera(answer) as host,
        contextlib.closing(open_source(f"http://{host}/", read_timeout_s=30, snapshot_fps=30)) as source,
    ):
        source.open()
        shots = [source.read() for _ in range(count)]
    return [(shot.number, round(shot.picture.mean())) for shot in shots]
