"""A cloud in a thread, and clients that block: the base of the tests of its endpoints."""

from __future__ import annotations

import asyncio
import contextlib
import gc
import hashlib
import json
import socket
import threading
import time
from concurrent.futures import Future
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from cloud.batching.crossing import frames_in
from cloud.config import CloudSettings
from cloud.frames.threads import ThreadPools
from cloud.http.app import make_server
from cloud.http.tls import tls_of
from cloud.service import Service
from cloud.workers.lifecycle import State
from cloud.workers.port import bind
from shared.wire.http import CONTENT_TYPE

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cloud.batching.crossing import Crossing
    from cloud.frames.threads import Pool
    from shared.engines.half import Tensors


WAIT_S = 100.0
"""Less than a test may take, and far more than what is waited for, even where others use the machine."""
JSON = {"Content-Type": "application/json"}
FRAME = {"Content-Type": CONTENT_TYPE}


class Server:
    """The cloud as `python -m cloud` wires it, in a thread of its own."""

    def __init__(self, *, start: bool = True, at: int = 0, **settings: Any) -> None:
        """Nothing is kept on disk, unless `settings` say otherwise.

        `at` is the port, for a server that comes back where another one was.
        """
        given = {"model": "resnet18", "weights": "random", "cache_dir": ""} | settings
        self._settings = CloudSettings(**given)
        self._start = start
        self._at = at
        self._up: Future[None] = Future()
        self._thread = threading.Thread(target=lambda: asyncio.run(self._main()), daemon=True)

    def __enter__(self) -> Self:
        self._thread.start()
        self._up.result(WAIT_S)
        return self

    def __exit__(self, *_exception: object) -> None:
        self.loop.call_soon_threadsafe(self._down.set)
        self._thread.join(WAIT_S)
        assert not self._thread.is_alive()
        assert (self.service.lifecycle.frames, self.service.buffered_bytes) == (0, 0)
        gc.collect()  # a task or future that nobody waited for says so now

    async def _main(self) -> None:
        self.loop = asyncio.get_running_loop()
        self._down = asyncio.Event()
        self.service = Service(self._settings, ThreadPools(0, self._settings.tail_workers))
        self.tls = tls_of(self._settings, self.service.metrics)
        server = make_server(self.service, self.tls)
        sockets = bind("127.0.0.1", self._at)
        server.add_sockets(sockets)
        self.port = sockets[0].getsockname()[1]
        try:
            if self._start:
                await self.service.start()
            self._up.set_result(None)
        except BaseException as error:
            self._up.set_exception(error)
            raise
        await self._down.wait()
        if self.service.lifecycle.state is not State.STOPPED:
            await self.service.stop()
        server.stop()
        await server.close_all_connections()

    def stop_service(self) -> Future[None]:
        return asyncio.run_coroutine_threadsafe(self.service.stop(), self.loop)

    def occupy(self, pool: Pool, held: threading.Event) -> None:
        """A thread of `pool` has nothing to do but wait for `held`."""
        asyncio.run_coroutine_threadsafe(pool.run(held.wait, WAIT_S), self.loop)

    def turned(self) -> None:
        """Wait until the loop has ended its turn: what it has just answered is counted and written down then."""
        over = threading.Event()
        with contextlib.suppress(RuntimeError):  # it is closed
            self.loop.call_soon_threadsafe(over.set)
            while self._thread.is_alive() and not over.wait(0.1):
                pass

    def metric(self, name: str, **labels: str) -> float:
        return self.service.metrics.registry.get_sample_value(f"splitdnn_cloud_{name}", labels) or 0.0

    def connect(self, source: str = "127.0.0.1") -> Connection:
        """From an address of the loopback network: each is another client."""
        return Connection(self, source)

    def ask(self, method: str, path: str, body: bytes = b"", **headers: str) -> Response:
        """One request on a connection of its own."""
        with self.connect() as connection:
            return connection.ask(method, path, body, headers)

    def post(self, body: bytes | dict, kind: dict[str, str] = JSON, path: str = "/model") -> Response:
        data = body if isinstance(body, bytes) else json.dumps(body).encode()
        with self.connect() as connection:
            return connection.ask("POST", path, data, kind)

    def frame(self, data: bytes, query: str = "") -> Response:
        return self.post(data, FRAME, "/model" + query)

    def put_profile(self, data: bytes, name: str | None = None, **headers: str) -> Response:
        """Under its own name, unless another is given."""
        name = hashlib.sha256(data).hexdigest()[:32] if name is None else name
        return self.ask("PUT", f"/profiles/{name}", data, **headers)

    def is_empty(self) -> bool:
        service = self.service
        return (service.lifecycle.frames, service.buffered_bytes, self.metric("buffered_bytes")) == (0, 0, 0)


class Response(NamedTuple):
    status: int
    headers: dict[str, str]
    body: bytes

    @property
    def json(self) -> Any:
        return json.loads(self.body)

    def refused(self, status: int, reason: str) -> Any:
        """The body of a refusal of this kind."""
        assert self.headers["content-type"].partition(";")[0] == "application/json"
        body = self.json
        assert body.keys() == {"error", "reason", "accepted"}
        assert (self.status, body["reason"]) == (status, reason), body
        assert ("retry-after" in self.headers) == (status in (408, 429, 503))
        assert 0 < len(body["error"]) < 500
        return body


class Connection:
    """A client's socket. Nothing is read that was not asked for, and nothing is sent that was not written."""

    def __init__(self, server: Any, source: str) -> None:
        self._turned = server.turned
        self.socket = socket.create_connection(("127.0.0.1", server.port), WAIT_S, (source, 0))
        self._file = self.socket.makefile("rb")

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.close()

    def close(self) -> None:
        self._file.close()
        self.socket.close()

    def send(self, data: bytes) -> None:
        self.socket.sendall(data)

    def ask(
        self, method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None
    ) -> Response:
        self.send(request(method, path, body, headers))
        return self.answer(with_body=method != "HEAD")

    def answer(self, *, with_body: bool = True) -> Response:
        status = int(self._file.readline().split()[1])
        headers = {}
        while line := self._file.readline().strip():
            name, _, value = line.decode().partition(":")
            headers[name.lower()] = value.strip()
        size = int(headers.get("content-length", "0")) if with_body else 0
        body = self._file.read(size)
        self._turned()
        return Response(status, headers, body)

    def closed_by_server(self) -> bool:
        """Whether the server ended the connection, in order: a reset raises ConnectionResetError."""
        return self._file.read() == b""


def request(method: str, path: str, body: bytes = b"", headers: dict[str, str] | None = None) -> bytes:
    """A request as bytes; its length is declared unless the headers say how the body comes."""
    lines = {"Host": "cloud"} | (headers or {})
    if "Transfer-Encoding" not in lines:
        lines.setdefault("Content-Length", str(len(body)))
    head = "".join(f"{name}: {value}\r\n" for name, value in lines.items())
    return f"{method} {path} HTTP/1.1\r\n{head}\r\n".encode() + body


def chunked(*chunks: bytes) -> bytes:
    return b"".join(b"%x\r\n%s\r\n" % (len(chunk), chunk) for chunk in (*chunks, b""))


def until(condition: Callable[[], bool]) -> None:
    """Wait for what happens in the server's thread."""
    deadline = time.monotonic() + WAIT_S
    while not condition():
        assert time.monotonic() < deadline, "did not happen"
        time.sleep(0.002)


def waiting(pool: Pool) -> int:
    """Calls that have no thread yet."""
    return pool.waiting()


class Gate:
    """Holds a server's tail until it is opened."""

    def __init__(self, server: Server) -> None:
        self.batches: list[tuple[str, int]] = []
        self._run = server.service.network.tails.run
        self._open = threading.Event()
        tails = server.service.network.tails
        tails.run = self._hold  # type: ignore[method-assign]
        tails.begin = lambda *_, **__: None  # type: ignore[method-assign]  # no run goes in pieces

    def _hold(self, split_point: str, callers: Sequence[Crossing]) -> Tensors:
        self.batches.append((split_point, sum(map(frames_in, callers))))
        assert self._open.wait(WAIT_S)
        return self._run(split_point, callers)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_exception: object) -> None:
        self.open()

    def open(self) -> None:
        self._open.set()

    def entered(self) -> None:
        until(lambda: bool(self.batches))
