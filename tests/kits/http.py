"""A small HTTP server in a thread."""

from __future__ import annotations

import http.server
import json
import threading
from contextlib import contextmanager


@contextmanager
def http_server(status=200, body=b"", headers=()):
    """A server on 127.0.0.1 in a thread that answers every GET with this; yields its URL and the paths asked for."""
    paths = []

    class Handler(http.server.BaseHTTPRequestHandler):
        def do_GET(self):
            paths.append(self.path)
            self.send_response(status)
            for name, text in headers:
                self.send_header(name, text)
            self.send_header("Content-Length", str(len(payload)))
            self.end_headers()
            self.wfile.write(payload)

        def log_message(self, *_):
            pass

    payload = body if isinstance(body, bytes) else json.dumps(body).encode()
    with http.server.HTTPServer(("127.0.0.1", 0), Handler) as server:
        thread = threading.Thread(target=server.serve_forever, args=(0.01,))
        thread.start()
        try:
            yield f"http://127.0.0.1:{server.server_port}", paths
        finally:
            server.shutdown()
            thread.join()
