#!/usr/bin/env bash
# Tornado 6.6.1: where a handler marked `stream_request_body` answers in `prepare`, as an exception there does, the connection is
# closed after the answer, and the answer does not say so: there is no `Connection: close` in it. Without the mark the same
# handler reads the body and keeps the connection.
# Expected: RFC 9112, section 9.6, "a server that does not support persistent connections MUST send the 'close' connection option in
# every response message", and one that will close SHOULD send it, so that the client does not send the next request
# on this connection: https://www.rfc-editor.org/rfc/rfc9112.html#section-9.6
# A client that keeps connections sends its next request into the one that is being closed, and sees it break.
# Matters to: cloud/http/body.py, which answers early by itself, reads on, and announces it where it does close.
# Seen 2026-11-29, Python 3.11, x86-64:
#   whole body: 403, close not announced, connection open
#   streamed body: 403, close not announced, connection closed
set -euo pipefail
folder=$(mktemp --directory)
trap 'rm -rf "$folder"' EXIT
python3 -m venv "$folder/venv"
"$folder/venv/bin/pip" install --quiet --disable-pip-version-check tornado==6.6.1
seen=$("$folder/venv/bin/python" - <<'PYTHON'
import asyncio
import http.client
import socket

from tornado.httpserver import HTTPServer
from tornado.netutil import bind_sockets
from tornado.web import Application, HTTPError, RequestHandler, stream_request_body


class Whole(RequestHandler):
    def prepare(self):
        raise HTTPError(403)

    def post(self):
        """Is not reached."""


@stream_request_body
class Streamed(Whole):
    def data_received(self, chunk):
        """Is not reached."""


def ask(port, path):
    connection = http.client.HTTPConnection("127.0.0.1", port, timeout=10)
    connection.connect()
    connected = connection.sock  # http.client lets go of it where the close is announced
    connection.request("POST", path, body=b"0123456789")
    answer = connection.getresponse()
    answer.read()
    announced = "announced" if answer.getheader("Connection", "").lower() == "close" else "not announced"
    connected.settimeout(2)
    try:
        state = "open" if connected.recv(1) else "closed"
    except TimeoutError:
        state = "open"
    connection.close()
    return f"{answer.status}, close {announced}, connection {state}"


async def main():
    server = HTTPServer(Application([("/whole", Whole), ("/streamed", Streamed)], log_function=lambda _: None))
    sockets = bind_sockets(0, "127.0.0.1", socket.AF_INET)
    server.add_sockets(sockets)
    port = sockets[0].getsockname()[1]
    for name in ("whole", "streamed"):
        print(f"{name} body:", await asyncio.to_thread(ask, port, f"/{name}"))


asyncio.run(main())
PYTHON
)
echo "$seen"
[ "$seen" = "whole body: 403, close not announced, connection open
streamed body: 403, close not announced, connection closed" ] || { echo "finding no longer holds: $0" >&2; exit 1; }
