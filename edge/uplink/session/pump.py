"""Moves what waits in a session to its connection, and what comes over that to those who wait for it, until the connection ends."""

from __future__ import annotations

import asyncio
import logging
from typing import TYPE_CHECKING, Protocol

from edge.uplink.session.connection import BrokenOffError
from edge.uplink.session.passage import StatelessError
from shared.errors import WireError

if TYPE_CHECKING:
    from collections import deque

    from edge.uplink.session.metrics import SessionMetrics
    from edge.uplink.session.passage import Passage
    from edge.uplink.session.traffic import Traffic

_log = logging.getLogger(__name__)

_LOOK_S = 0.25


class _Session(Protocol):
    """See edge/uplink/session/session.py."""

    is_leaving: bool
    longest_s: float

    @property
    def is_silent(self) -> bool: ...
    def was_answered(self) -> None: ...
    def leave(self, reason: str) -> None: ...


class Pump:
    """For one connection. Used from the event loop only."""

    def __init__(
        self,
        session: _Session,
        queue: deque[Passage],
        changed: asyncio.Event,
        traffic: Traffic,
        metrics: SessionMetrics,
    ) -> None:
        """`changed` is set when there is more to do."""
        self._session = session
        self._queue = queue
        self._changed = changed
        self._traffic = traffic
        self._metrics = metrics

    async def run(self) -> None:
        """Returns once the connection has broken, or the session was left and nothing is under way in it any more."""
        tasks = [asyncio.create_task(each) for each in (self._send(), self._receive(), self._watch())]
        try:
            await asyncio.wait(tasks, return_when=asyncio.FIRST_COMPLETED)
        finally:
            for task in tasks:
                task.cancel()
            await asyncio.gather(*tasks, return_exceptions=True)
        for task in tasks:
            if not task.cancelled() and (error := task.exception()):
                if not isinstance(error, BrokenOffError | WireError):
                    _log.error("a session's connection failed", exc_info=error)
                _log.debug("a session's connection broke: %s", error)

    async def _send(self) -> None:
        """Raises BrokenOffError. Returns when the session was left, and nothing is under way in it any more."""
        traffic = self._traffic
        while not (self._session.is_leaving and not traffic.waiting):
            await traffic.cancel_withdrawn()
            if not self._queue or traffic.is_full or self._session.is_leaving:
                self._changed.clear()
                await self._changed.wait()
                continue
            await traffic.drained()
            if not self._queue:  # withdrawn meanwhile
                continue
            passage = self._queue.popleft()
            if passage.future.done():
                continue
            if not traffic.may_send(passage):
                self._metrics.frame("stateless")
                passage.fail(StatelessError())
                continue
            try:
                await traffic.send(passage)
            except WireError as error:  # it does not fit a session; it may go by HTTP
                _log.debug("not for a session: %s", error)
                passage.lost()

    async def _receive(self) -> None:
        """Raises BrokenOffError, or WireError for what is no message of a session."""
        while True:
            before = self._traffic.answers
            reason = await self._traffic.receive()
            if self._traffic.answers > before:
                self._session.was_answered()
            self._changed.set()
            if reason is not None:
                self._session.leave(reason)

    async def _watch(self) -> None:
        """A link that is cut without a word ends no read and no write by itself."""
        while not self._session.is_silent:
            await asyncio.sleep(_LOOK_S)
            await self._traffic.nudge(self._session.longest_s / 2)
        _log.debug("a session's connection says nothing any more")
        self._traffic.connection.break_off()
