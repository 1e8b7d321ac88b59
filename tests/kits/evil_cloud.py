"""A cloud that answers one frame well and the next one badly, each time in another way, and a host that it would like edges to go to."""

from __future__ import annotations

import asyncio
import gzip
import json
import re
import threading
from typing import TYPE_CHECKING, Any, Self

from shared.wire.frame import heading

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

ATTACK = "\x1b]0;owned\x07\x1b[2J\nframe 0 FORGED"
CLASS = {"class_id": 1, "label": "good", "probability": 0.5}
_JSON = "application/json"


def good(frame_id: int, split_point: str, /, **changes: Any) -> dict[str, Any]:
    """An answer that may be true, unless it is changed."""
    own = {"frame_id": frame_id, "split_point": split_point, "top": [CLASS], "stages_ms": {"tail": 1.0}}
    return own | {"received": {"bytes": 0, "ms": 0}} | changes


def response(body: Any, status: str = "200 OK", length: int | None = None, **headers: str) -> bytes:
    """What is sent over the connection."""
    body = body if isinstance(body, bytes) else json.dumps(body).encode()
    lines = [
        f"HTTP/1.1 {status}",
        f"Content-Type: {_JSON}",
        f"Content-Length: {len(body) if length is None else length}",
    ]
    lines += [f"{name.replace('_', '-')}: {value}" for name, value in headers.items()]
    return "\r\n".join([*lines, "", ""]).encode() + body


def _changed(**changes: Any) -> Callable[[int, str], bytes]:
    return lambda number, point: response(good(number, point, **changes))


def _raw(*pieces: bytes) -> Callable[[int, str], Iterable[bytes]]:
    return lambda *_: pieces


_LONG = b"A: " + b"x" * 4000 + b"\r\n"
BELIEVED = {
    "the edge has its own names": _changed(top=[CLASS | {"label": ATTACK}]),
    "a label of 900 kB": _changed(top=[CLASS | {"label": "A" * 900_000}]),
    "steps of a later version": _changed(stages_ms={"tail": 1.0, ATTACK: 1.0}),
    "cookies": lambda number, point: response(good(number, point), Set_Cookie="c=" + "v" * 4000),
    "100 before it": lambda number, point: b"HTTP/1.1 100 Continue\r\n\r\n" + response(good(number, point)),
    "another one after it": lambda number, point: 2 * response(good(number, point)),
}
"""What does not make an answer untrue."""
REFUSED = {
    "a hundred times 100": lambda number, point: (
        b"HTTP/1.1 100 Continue\r\n\r\n" * 100 + response(good(number, point))
    ),
    "chunks of a byte": lambda number, point: (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n" + b"1\r\n \r\n" * 200_000 + b"0\r\n\r\n"
    ),
    "another frame": lambda number, point: response(good(number ^ 0xFFFF, point)),
    "another split point": _changed(split_point=ATTACK),
    "3000 classes": _changed(top=[CLASS] * 3000),
    "a class that is not": _changed(top=[CLASS | {"class_id": 5}]),
    "class -5": _changed(top=[CLASS | {"class_id": -5}]),
    "class 10^300": _changed(top=[CLASS | {"class_id": 10**300}]),
    "class true": _changed(top=[CLASS | {"class_id": True}]),
    "probability 1e308": _changed(top=[CLASS | {"probability": 1e308}]),
    "probability NaN": _changed(top=[CLASS | {"probability": float("nan")}]),
    "probability as text": _changed(top=[CLASS | {"probability": "1"}]),
    "steps without end": _changed(stages_ms={"tail": 1.7e308, "queue": 1.7e308}),
    "a step of years": _changed(stages_ms={"tail": 1e12}),
    "20000 steps": _changed(stages_ms={f"s{number}": 1 for number in range(20_000)}),
    "more than was sent": _changed(received={"bytes": 1e308, "ms": 1e-300}),
    "deep": lambda *_: response(b'{"top":' + b"[" * 400_000 + b"]" * 400_000 + b"}"),
    "a number of 5000 digits": lambda *_: response(b'{"frame_id":' + b"9" * 5000 + b"}"),
    "no JSON": lambda *_: response(b"\xff\xfe"),
    "nothing": lambda *_: response(b""),
    "a list": lambda *_: response(b"[]"),
    "packed": lambda *_: response(gzip.compress(bytes(64 << 20)), Content_Encoding="gzip"),
    "packed, broken": lambda *_: response(b"\x1f\x8b garbage", Content_Encoding="gzip"),
    "2 MB": lambda *_: response(b" " * (2 << 20)),
    "without end": lambda *_: (
        b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n",
        *(b"10000\r\n" + b"x" * 65536 + b"\r\n",) * 400,
    ),
    "a header without end": lambda *_: (b"HTTP/1.1 200 OK\r\n", *(_LONG,) * 5000),
    "another digest": lambda number, point: response(good(number, point), Content_Digest="sha-256=:AAAA:"),
    "304": _raw(b"HTTP/1.1 304 Not Modified\r\n\r\n"),
    "999": lambda *_: response({"error": ATTACK}, f"999 {ATTACK[:5]}"),
    "503": lambda *_: response({"error": ATTACK, "reason": ATTACK}, "503 Busy"),
    "424": lambda *_: response({"error": ATTACK}, "424 Missing"),
    "too short": lambda number, point: response(good(number, point), length=20),
    "garbage": _raw(b"\x00\x01\x1b[2J\r\n\r\n"),
    "silence": _raw(),
}
"""What costs the edge an answer of its own."""


class EvilCloud:
    """Serves on 127.0.0.1, in a thread: every second frame is answered in the next of the ways above."""

    def __init__(self, fingerprint: str) -> None:
        self._model = {"fingerprint": fingerprint, "model": "tiny", "weights": ATTACK, "profiles": []}
        self._ways = REFUSED | {
            f"redirects with {status}": lambda *_, status=status: response(
                b"", f"{status} Elsewhere", Location=self.other_url
            )
            for status in (301, 302, 303, 307, 308)
        }
        self._ways |= BELIEVED
        self._next = iter(self._ways)
        self.asked: dict[str, str] = {}
        """How each frame was answered, by its id: `good`, or a way from above."""
        self.elsewhere: list[bytes] = []
        """What the other host was sent."""
        self.heads: list[int] = []
        self.finished = False

    def __enter__(self) -> Self:
        ready = threading.Event()
        self._thread = threading.Thread(target=asyncio.run, args=(self._serve(ready),), daemon=True)
        self._thread.start()
        assert ready.wait(60)
        return self

    def __exit__(self, *_: object) -> None:
        self._loop.call_soon_threadsafe(self._stop.set)
        self._thread.join(60)

    async def _serve(self, ready: threading.Event) -> None:
        self._loop, self._stop = asyncio.get_running_loop(), asyncio.Event()
        mine = await asyncio.start_server(self._cloud, "127.0.0.1", 0, limit=1 << 26)
        other = await asyncio.start_server(self._other, "127.0.0.1", 0)
        self.url, self.other_url = (
            f"http://127.0.0.1:{each.sockets[0].getsockname()[1]}" for each in (mine, other)
        )
        ready.set()
        await self._stop.wait()
        for each in (mine, other):
            each.close()

    async def _other(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self.elsewhere.append(await reader.readline())
        writer.close()

    async def _cloud(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        try:
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                self.heads.append(len(head))
                size = re.search(rb"(?i)content-length: (\d+)", head)
                body = await reader.readexactly(int(size[1])) if size else b""
                await self._answer(head, body, writer)
        except (asyncio.IncompleteReadError, asyncio.LimitOverrunError, ConnectionError):
            writer.close()

    async def _answer(self, head: bytes, body: bytes, writer: asyncio.StreamWriter) -> None:
        if not head.startswith(b"POST /model"):
            known = head.startswith(b"GET /model ")
            writer.write(response(self._model) if known else response({}, "404 Not Found"))
            return
        number, point = heading(body)
        frame_id = f"{number:016x}"
        if frame_id not in self.asked:  # else it is sent once more
            self.asked[frame_id] = self._way()
        way = self.asked[frame_id]
        made = response(good(number, point)) if way == "good" else self._ways[way](number, point)
        for piece in [made] if isinstance(made, bytes) else made:
            writer.write(piece)
            await writer.drain()
        if way == "garbage":
            writer.close()

    def _way(self) -> str:
        if not len(self.asked) % 2:
            return "good"
        found = next(self._next, "good")
        self.finished |= found == "good"
        return found
