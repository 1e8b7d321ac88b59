"""The diary of one process of clients: every request, when it was sent, and what became of it."""

from __future__ import annotations

import asyncio
from collections import Counter
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench.load.connection import ExchangeError
from bench.load.generator import FAILED
from bench.load.peers.sending.answer import top_of
from bench.load.peers.sending.carriers import OK, UnreachableError

if TYPE_CHECKING:
    from bench.load.peers.sending.body import Body
    from bench.load.peers.sending.carriers import Carrier

ANSWERED, WRONG, REFUSED, LOST, UNREACHABLE, OPEN = (
    "answered", "wrong", "refused", "lost", "unreachable", "open",
)  # fmt: skip
"""Fates. `wrong`: an answer with another class on top, or none. `lost`: sent, and never answered. `unreachable`: not sent, as nobody
took the connection. `open`: under way."""
WRONG_STATUS = 299


@dataclass(slots=True)
class Entry:
    """One request. Times are the event loop's, seconds."""

    sent: float
    done: float = 0.0
    fate: str = OPEN


@dataclass
class Log:
    """All requests of the process's clients, in the order of sending."""

    entries: list[Entry] = field(default_factory=list)
    errors: Counter[str] = field(default_factory=Counter)
    """What losses and refusals said, shortened."""

    def done(self) -> int:
        """How many have ended."""
        return sum(each.fate != OPEN for each in self.entries)

    def fates(self, entries: list[Entry] | None = None) -> dict[str, int]:
        return dict(Counter(each.fate for each in (self.entries if entries is None else entries)))

    def under_way(self) -> list[Entry]:
        return [each for each in self.entries if each.fate == OPEN]


class Logged:
    """A client's carrier, as the load generator takes it, that keeps the log."""

    def __init__(self, log: Log, carrier: Carrier, protocol: str) -> None:
        self._log = log
        self._carrier = carrier
        self._protocol = protocol

    async def ask(self, body: Body, timeout_s: float) -> int:
        """The status. Raises ExchangeError without an answer."""
        loop = asyncio.get_running_loop()
        entry = Entry(loop.time())
        self._log.entries.append(entry)
        status = FAILED
        try:
            status, answer = await self._carrier.ask(body.data, timeout_s)
            entry.fate = self._judged(body, status, answer)
            if status != OK:
                self._log.errors[f"status {status}"] += 1
        except UnreachableError as error:
            entry.fate = UNREACHABLE
            raise ExchangeError(str(error)) from None
        except ExchangeError as error:
            entry.fate = LOST
            self._log.errors[str(error)[:100]] += 1
            raise
        finally:
            entry.done = loop.time()
        return WRONG_STATUS if entry.fate == WRONG else status

    def _judged(self, body: Body, status: int, answer: bytes) -> str:
        if status != OK:
            return REFUSED
        if body.top is None:
            return ANSWERED
        try:
            return ANSWERED if top_of(self._protocol, answer) == body.top else WRONG
        except ValueError:
            return WRONG

    def close(self) -> None:
        self._carrier.close()
