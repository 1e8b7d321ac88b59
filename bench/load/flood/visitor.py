"""One connection of a client that looks at every answer, and that leaves at a random moment of some requests."""

from __future__ import annotations

import asyncio
import json
from collections import Counter, deque
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any

from bench.load.connection import ExchangeError
from bench.load.flood.samples import differ
from bench.load.generator import FAILED, OK

if TYPE_CHECKING:
    import random
    from collections.abc import Callable, Mapping, Sequence

    from bench.load.connection import Connection, Response
    from bench.load.flood.samples import Sample

LEFT = -2
"""In place of a status: the client has left."""
MOMENTS = ("before the body", "in the body", "after it", "with the answer's first bytes")
REFUSALS = (429, 503, 504)
"""What a cloud may say that is asked for more than it can do."""
_SHOWN = 20
_PAUSE_S = 0.02
"""A client that leaves within its request does so after up to this long."""
_HALF_S = 0.1
"""About how long an answer takes, until the first ones have come."""
_RESETS = 0.5
"""The share of those who leave that do so by a reset; the others close in order."""


@dataclass(frozen=True, slots=True)
class Question:
    """What one client asks: a sample, whose id says whose it is."""

    client: int
    sample: Sample
    head: Callable[[int], bytes]
    """The request's header for a frame of so many bytes."""


@dataclass
class Diary:
    """What became of all requests. Frame ids are counted up, so that every one is another's."""

    expected: Sequence[Mapping[str, Any]] = ()
    """The answer to each sample; empty until they are known."""
    statuses: Counter[int] = field(default_factory=Counter)
    left: Counter[str] = field(default_factory=Counter)
    answered: dict[int, int] = field(default_factory=dict)
    """Frame id -> the client that got an answer to it."""
    faults: list[str] = field(default_factory=list)
    """What must not be, one line each."""
    opened: int = 0
    """Connections."""
    asked_again: int = 0
    """Requests whose connection, an idle one, was closed before anything of the answer came."""
    took_s: deque[float] = field(default_factory=lambda: deque([_HALF_S], maxlen=500))
    """The latest answers'."""
    _numbers: int = 0

    def frame_id(self, client: int) -> int:
        self._numbers += 1
        return (client + 1) << 32 | self._numbers

    def judge(self, question: Question, frame_id: int, response: Response) -> None:
        """Note an answer, and whether it is to this question."""
        what = f"client {question.client}, frame {frame_id:016x}"
        if response.status != OK:
            if response.status not in REFUSALS:
                self.fault(f"{what}: refused with {response.status}: {response.body[:200]!r}")
            return
        try:
            answer = json.loads(response.body)
        except ValueError:
            self.fault(f"{what}: an answer that is no JSON: {response.body[:200]!r}")
            return
        if answer.get("frame_id") != frame_id:
            self.fault(f"{what}: got the answer to frame id {answer.get('frame_id')}")
        elif self.expected and differ(answer, self.expected[question.sample.number]):
            others = [number for number, each in enumerate(self.expected) if not differ(answer, each)]
            self.fault(f"{what}: an answer that is not to sample {question.sample.number} (but to {others})")
        else:
            self.answered[frame_id] = question.client

    def fault(self, text: str) -> None:
        if len(self.faults) < _SHOWN:
            self.faults.append(text)


class Visitor:
    """Carries questions for a Generator."""

    def __init__(
        self, connection: Connection, diary: Diary, chance: random.Random, leaving: float = 0.0
    ) -> None:
        """`leaving`: the share of requests whose answer it does not wait for."""
        self._connection = connection
        self._diary = diary
        self._chance = chance
        self._leaving = leaving
        self.last: Response | None = None
        """The answer to the question before."""

    async def ask(self, request: Question, timeout_s: float) -> int:
        """The status; LEFT if it did not wait for it. Raises ExchangeError, which is a fault."""
        frame_id = self._diary.frame_id(request.client)
        frame = request.sample.numbered(frame_id)
        head = request.head(len(frame))
        try:
            if self._chance.random() < self._leaving:
                status = await self._leave(head, frame, timeout_s)
            else:
                self.last = await self._stay(head + frame, timeout_s)
                self._diary.judge(request, frame_id, self.last)
                status = self.last.status
        except ExchangeError as error:
            status = FAILED
            self._diary.fault(f"client {request.client}, frame {frame_id:016x}: no answer: {error}")
        self._diary.statuses[status] += 1
        return status

    def close(self) -> None:
        self._diary.opened += self._connection.opened
        self._connection.close()

    async def _stay(self, data: bytes, timeout_s: float) -> Response:
        loop = asyncio.get_running_loop()
        kept, start = self._connection.is_open, loop.time()
        try:
            response = await self._connection.exchange(data, timeout_s)
        except ExchangeError:
            if not kept or loop.time() - start >= timeout_s:
                raise
            # A server may close what is idle just when it is used again, as every client has to know.
            self._diary.asked_again += 1
            response = await self._connection.exchange(data, timeout_s)
        if response.status == OK:
            self._diary.took_s.append(loop.time() - start)
        return response

    async def _leave(self, head: bytes, frame: bytes, timeout_s: float) -> int:
        """Send some or all of it, wait, and go. Raises ExchangeError if it waited in vain for an answer's first bytes."""
        chance, moment = self._chance, self._chance.choice(MOMENTS)
        pause_s = chance.choice((0.0, chance.random() * _PAUSE_S))
        try:
            async with asyncio.timeout(timeout_s):
                reader, writer = await self._connection.open()
                match moment:
                    case "before the body":
                        writer.write(head)
                    case "in the body":
                        writer.write(head + frame[: chance.randrange(1, len(frame))])
                    case "after it":  # it is queued, computed or answered by then
                        writer.write(head + frame)
                        pause_s = chance.random() * 1.5 * chance.choice(self._diary.took_s)
                    case _:
                        writer.write(head + frame)
                        await reader.read(chance.randrange(1, 400))
                await asyncio.sleep(pause_s)
        except TimeoutError:
            raise ExchangeError(f"{moment}: TimeoutError") from None
        except OSError:
            pass  # the server was first
        finally:
            self._connection.leave(reset=chance.random() < _RESETS)
        self._diary.left[moment] += 1
        return LEFT
