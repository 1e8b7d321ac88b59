"""What looks like a ready cloud to a balancer, and ends every connection on which it is asked anything else: it counts what it was asked."""

from __future__ import annotations

import threading
from collections import Counter
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, Self


class RudeCloud:
    """At a port of this machine, while the block lasts."""

    def __init__(self) -> None:
        self.asked: Counter[str] = Counter()
        """By method and path."""
        rude = self

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def parse_request(self) -> bool:
                if not super().parse_request():
                    return False
                if self.path != "/readyz":
                    self.rfile.read(int(self.headers.get("Content-Length", 0)))
                    rude.asked[f"{self.command} {self.path}"] += 1
                    self.close_connection = True
                    return False
                return True

            def do_GET(self) -> None:
                self.send_response(200)
                self.send_header("Content-Length", "0")
                self.end_headers()

            def log_message(self, *_arguments: Any) -> None:
                pass

        self._server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever)
        self.port = self._server.server_address[1]

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._server.shutdown()
        self._thread.join()
        self._server.server_close()
