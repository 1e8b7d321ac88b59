"""Messages between the parent and a worker, over a pair of sockets: what is asked is answered, in any order."""

from __future__ import annotations

import asyncio
import contextlib
import json
import logging
import struct
from dataclasses import dataclass, field
from itertools import count
from typing import TYPE_CHECKING, Any, Self

from shared.limits import MAX_PROFILE_BYTES

if TYPE_CHECKING:
    import socket
    from collections.abc import Awaitable, Callable, Mapping

_log = logging.getLogger(__name__)

_LENGTHS = struct.Struct("!II")
_MAX_FIELDS_BYTES = 1 << 20
_MAX_BODY_BYTES = max(MAX_PROFILE_BYTES, 16 << 20)


class GoneError(Exception):
    """The other side has ended, does not answer in time, or could not do what was asked."""


@dataclass(frozen=True)
class Message:
    """What one side tells the other. `fields` are JSON."""

    kind: str
    fields: Mapping[str, Any] = field(default_factory=dict)
    body: bytes = b""


class Channel:
    """One end. On the event loop only."""

    def __init__(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        self._reader, self._writer = reader, writer
        self._numbers = count(1)
        self._asked: dict[int, asyncio.Future[Message]] = {}
        self._handling: set[asyncio.Task[None]] = set()

    @classmethod
    async def over(cls, end: socket.socket) -> Self:
        """The channel over one end of a pair, which it closes."""
        return cls(*await asyncio.open_unix_connection(sock=end))

    def tell(self, message: Message) -> None:
        """Send it. One that nobody reads any more is lost."""
        self._send(message, {})

    async def ask(self, message: Message, timeout_s: float) -> Message:
        """The answer. Raises GoneError."""
        number = next(self._numbers)
        answer: asyncio.Future[Message] = asyncio.get_running_loop().create_future()
        self._asked[number] = answer
        try:
            async with asyncio.timeout(timeout_s):
                self._send(message, {"number": number})
                return await answer
        except TimeoutError:
            raise GoneError(f"no answer to {message.kind} within {timeout_s:g} s") from None
        finally:
            self._asked.pop(number, None)

    async def receive(self) -> Message:
        """The next message, before `run`. Raises GoneError."""
        head, message = await self._next()
        assert not head
        return message

    async def run(self, handle: Callable[[Message], Awaitable[Message | None]]) -> None:
        """Answer what comes with what `handle` returns, until the other side is gone. An error of it is logged, and answered."""
        try:
            while True:
                head, message = await self._next()
                if "answers" in head:
                    self._settle(head["answers"], message)
                    continue
                task = asyncio.create_task(self._answer(head.get("number"), message, handle))
                self._handling.add(task)
                task.add_done_callback(self._handling.discard)
        except GoneError:
            pass
        finally:
            self.close()

    def close(self) -> None:
        """End it; whoever waits for an answer gets GoneError. A second call does nothing."""
        self._writer.close()
        for task in self._handling:
            task.cancel()
        for answer in self._asked.values():
            if not answer.done():
                answer.set_exception(GoneError("the other side has ended"))

    def _settle(self, number: int, message: Message) -> None:
        answer = self._asked.get(number)
        if answer is None or answer.done():
            return  # it is too late
        if message.kind == "failed":
            answer.set_exception(GoneError(str(message.fields.get("why"))))
        else:
            answer.set_result(message)

    async def _answer(
        self,
        number: int | None,
        message: Message,
        handle: Callable[[Message], Awaitable[Message | None]],
    ) -> None:
        try:
            answer = await handle(message) or Message("done")
        except Exception as error:  # noqa: BLE001 - the asker's
            _log.exception("a message of the kind %s could not be handled", message.kind)
            answer = Message("failed", {"why": f"{type(error).__name__}: {error}"})
        if number is not None:
            self._send(answer, {"answers": number})

    def _send(self, message: Message, head: dict[str, int]) -> None:
        fields = json.dumps({"head": head, "kind": message.kind, "fields": message.fields}).encode()
        if len(fields) > _MAX_FIELDS_BYTES or len(message.body) > _MAX_BODY_BYTES:
            raise ValueError(f"a message of {len(fields)} and {len(message.body)} bytes is too long")
        with contextlib.suppress(ConnectionError):
            self._writer.write(_LENGTHS.pack(len(fields), len(message.body)) + fields + message.body)

    async def _next(self) -> tuple[dict[str, int], Message]:
        try:
            lengths = _LENGTHS.unpack(await self._reader.readexactly(_LENGTHS.size))
            if lengths[0] > _MAX_FIELDS_BYTES or lengths[1] > _MAX_BODY_BYTES:
                raise GoneError(f"a message of {lengths[0]} and {lengths[1]} bytes")
            said = json.loads(await self._reader.readexactly(lengths[0]))
            body = await self._reader.readexactly(lengths[1])
        except (asyncio.IncompleteReadError, OSError):
            raise GoneError("the other side has ended") from None
        return said["head"], Message(said["kind"], said["fields"], body)
