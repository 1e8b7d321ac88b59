"""A worker's process, as its parent sees it; and when one that has died is started again: soon, then later and later, and not for ever."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import signal
import socket
import time
from typing import TYPE_CHECKING, Any, Self

from cloud.workers.channel import Channel, GoneError, Message
from shared.process.child import run_module

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable, Iterable, Sequence

    from cloud.config import CloudSettings
    from cloud.workers.sums import Family

_READING_S = 2.0
_FIRST_S, _LONGEST_S = 0.5, 60.0
SERVED_S = 60.0
"""A worker that has taken frames for so long is not one that dies as soon as it starts."""
MOST_IN_A_ROW = 10
"""Deaths in a row after which a worker is started again; about four minutes of waiting, all in all."""


class Started:
    """One process, from its start to its end. Made by `start`."""

    def __init__(self, number: int, process: asyncio.subprocess.Process, channel: Channel) -> None:
        self.number = number
        self.listens = asyncio.Event()
        """Whether its port is open."""
        self.since = 0.0
        """When it was opened, in monotonic seconds."""
        self.silent = 0
        """Looks in a row that it has not answered, by whoever looks."""
        self.hung = False
        """It was killed for that."""
        self._process = process
        self._channel = channel

    @classmethod
    async def start(
        cls, number: int, settings: CloudSettings, alike: Sequence[str] | None, *, cloud: str
    ) -> Self:
        """Start a worker of `cloud`, which computes `alike`: with that engine and precision. It does nothing before `run`."""
        ours, theirs = socket.socketpair()
        with theirs:
            process = await asyncio.create_subprocess_exec(
                *run_module("cloud.workers.worker"),
                str(theirs.fileno()),
                pass_fds=[theirs.fileno()],
                process_group=0,  # a Ctrl-C is the parent's, who passes it on
            )
        channel = await Channel.over(ours)
        told = {
            "number": number,
            "settings": settings.model_dump(mode="json"),
            "alike": alike,
            "cloud": cloud,
        }
        channel.tell(Message("settings", told))
        return cls(number, process, channel)

    async def run(self, handle: Callable[[Started, Message], Awaitable[Message | None]]) -> int:
        """Answer it until it ends; its exit status, as a shell says it: 128 and the signal that ended it."""
        talking = asyncio.create_task(self._channel.run(lambda message: self._handle(message, handle)))
        try:
            status = await self._process.wait()
        finally:
            talking.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await talking
        return status if status >= 0 else 128 - status

    async def reading(self) -> list[Family] | None:
        """Its metrics; None if it does not answer in time."""
        body = await self.body(Message("reading"))
        if body is None:
            return None
        self.silent = 0
        families: list[Family] = json.loads(body)
        return families

    async def body(self, message: Message) -> bytes | None:
        """The body of its answer; None if it does not answer in time."""
        try:
            return (await self._channel.ask(message, _READING_S)).body
        except GoneError:
            return None

    async def ask(self, message: Message, timeout_s: float) -> dict[str, Any]:
        """The fields of its answer; none if it does not answer in time."""
        try:
            return dict((await self._channel.ask(message, timeout_s)).fields)
        except GoneError:
            return {}

    def signal(self, number: signal.Signals) -> None:
        """Send a signal, if it has not ended."""
        with contextlib.suppress(ProcessLookupError):
            self._process.send_signal(number)

    def kill(self) -> None:
        """End it, and what it has started: its process group is its own."""
        with contextlib.suppress(ProcessLookupError):
            os.killpg(self._process.pid, signal.SIGKILL)

    async def _handle(
        self, message: Message, handle: Callable[[Started, Message], Awaitable[Message | None]]
    ) -> Message | None:
        if message.kind == "listens":
            self.since = time.monotonic()
            self.listens.set()
        return await handle(self, message)


class Restarts:
    """The waits of one worker."""

    def __init__(self) -> None:
        self._in_a_row = 0

    def wait_s(self, served_s: float) -> float | None:
        """Seconds until the next start of a worker that has died after it had taken frames for `served_s`; None if there is none."""
        if served_s >= SERVED_S:
            self._in_a_row = 0
        self._in_a_row += 1
        if self._in_a_row > MOST_IN_A_ROW:
            return None
        return min(_LONGEST_S, _FIRST_S * 2.0 ** (self._in_a_row - 1))


async def page_of(workers: Iterable[Started], count: int, message: Message) -> bytes:
    """What each of `count` workers shows on the cloud's page, as JSON by its number; null for one that is not there or does not answer."""
    ready = [each for each in workers if each.listens.is_set()]
    said = await asyncio.gather(*(each.body(message) for each in ready))
    found = {each.number: body or b"null" for each, body in zip(ready, said, strict=True)}
    return b"{%b}" % b",".join(b'"%d":%b' % (each, found.get(each, b"null")) for each in range(1, count + 1))
