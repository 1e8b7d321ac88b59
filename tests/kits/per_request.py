"""A balancer on 127.0.0.1 that gives each request to another cloud, whatever connection it came on. It reads whole bodies first, as many do."""

from __future__ import annotations

import asyncio
import contextlib
import itertools
import random
import re
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Sequence

_LENGTH = re.compile(rb"\r\nContent-Length: *(\d+)\r\n", re.IGNORECASE)
_MEANT_FOR = re.compile(rb"\r\nSplitDNN-Cloud: *(\w+)\r\n", re.IGNORECASE)


class Balancer:
    """`choose()` gives the number of the cloud for the next request. `seen` are method, path, bytes of body and cloud of each."""

    def __init__(
        self,
        ports: Sequence[int],
        choose: Callable[[], int],
        *,
        heeds: bool = False,
        uploads: Callable[[], int] | None = None,
    ) -> None:
        """`heeds`: what is meant for a cloud, whose id was seen in an answer, goes there. `uploads` chooses for those, if it is given."""
        self._ports, self._choose, self._heeds = ports, choose, heeds
        self._for_uploads = uploads or choose
        self._ids: dict[bytes, int] = {}
        self.seen: list[tuple[str, str, int, int]] = []
        self.port = 0

    async def serve(self, reader: asyncio.StreamReader, writer: asyncio.StreamWriter) -> None:
        with contextlib.suppress(asyncio.IncompleteReadError, ConnectionError):
            while True:
                head = await reader.readuntil(b"\r\n\r\n")
                body = await reader.readexactly(_length(head))
                method, path, _ = head.split(b" ", 2)
                number = self._number(head, self._for_uploads if method == b"PUT" else self._choose)
                self.seen.append((method.decode(), path.decode(), len(body), number))
                writer.write(await self._pass_on(number, head, body, method))
                await writer.drain()
        writer.close()

    def uploads(self) -> list[int]:
        """The clouds that a profile was sent to."""
        return [number for method, _, _, number in self.seen if method == "PUT"]

    def _number(self, head: bytes, choose: Callable[[], int]) -> int:
        meant = _MEANT_FOR.search(head)
        if self._heeds and meant and meant[1] in self._ids:
            return self._ids[meant[1]]
        return choose() % len(self._ports)

    async def _pass_on(self, number: int, head: bytes, body: bytes, method: bytes) -> bytes:
        reader, writer = await asyncio.open_connection("127.0.0.1", self._ports[number])
        writer.write(head + body)
        answer = await reader.readuntil(b"\r\n\r\n")
        if named := _MEANT_FOR.search(answer):
            self._ids[named[1]] = number
        if method != b"HEAD":
            answer += await reader.readexactly(_length(answer))
        writer.close()
        return answer


def _length(head: bytes) -> int:
    found = _LENGTH.search(head)
    return int(found[1]) if found else 0


def turns() -> Callable[[], int]:
    """Strictly one after another."""
    return itertools.count().__next__


def chance(seed: int) -> Callable[[], int]:
    """At random."""
    numbers = random.Random(seed)
    return lambda: numbers.randrange(1 << 30)


@contextlib.asynccontextmanager
async def balancer(
    ports: Sequence[int],
    choose: Callable[[], int],
    *,
    heeds: bool = False,
    uploads: Callable[[], int] | None = None,
) -> AsyncIterator[Balancer]:
    """A running one."""
    one = Balancer(ports, choose, heeds=heeds, uploads=uploads)
    server = await asyncio.start_server(one.serve, "127.0.0.1", 0)
    one.port = server.sockets[0].getsockname()[1]
    async with server:
        yield one
