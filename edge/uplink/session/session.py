"""A session: frames go out in order, answers come back in any, over one connection after another."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

from edge.uplink.session.connection import NoUpgradeError
from edge.uplink.session.opening import open_connection
from edge.uplink.session.passage import Passage, UnsentError, lose
from edge.uplink.session.pump import Pump
from edge.uplink.session.traffic import Traffic

if TYPE_CHECKING:
    from collections.abc import Callable, Hashable

    from edge.uplink.session.carrying.flow import Reservation
    from edge.uplink.session.opening import Means
    from edge.uplink.session.passage import Back
    from edge.uplink.session.stream import Part
    from shared.wire.frame import Frame
    from shared.wire.session.messages import Hello, Welcome

_log = logging.getLogger(__name__)

_PAUSES_S = (0.0, 0.1, 0.3)
"""Before each try to go on after a break."""
_BYE_S = 0.5
_SILENCE_S = 3.0
"""A connection over which so long nothing came, while something should have, is broken; a longer deadline takes twice that."""
_FUTILE = 3
"""Connections that broke one after another without an answer."""


class Session:
    """With one cloud, for frames of one network and one question. Used from the event loop only."""

    def __init__(self, hello: Hello, means: Means) -> None:
        """`hello` of a new session."""
        self.place = object()
        """Where streams have their state: another one after each break."""
        self.is_open = self.is_leaving = self.has_ended = False
        self.answers = 0
        self.on_leave: Callable[[str], object] = lambda _reason: None
        """Called with the reason when the cloud asks to open another session."""
        self.on_end: Callable[[], object] = lambda: None
        """Called when it has ended; `problem` says why, unless the cloud, or `close`, let it go in good order."""
        self.problem: NoUpgradeError | None = None
        self.opened: asyncio.Future[None] = asyncio.get_running_loop().create_future()
        """Done once the cloud has welcomed it, or it has ended without that."""
        self._hello = hello
        self._means = means
        self._metrics = means.metrics
        self.longest_s = max(_SILENCE_S, 2e-3 * hello.deadline_ms)
        self._queue: deque[Passage] = deque()
        self._traffic: Traffic | None = None
        self._next = self._futile = 0
        self._began, self._is_up = means.clock(), False
        self._changed = asyncio.Event()
        self._is_closing = False
        self._task = asyncio.create_task(self._run())

    async def ask(
        self, frame: Frame, key: Hashable, part: Part | None, reservation: Reservation | None
    ) -> Back:
        """Send a frame and wait for what comes back. A cancelled call withdraws the frame.

        Raises UnsentError if the session has ended, or StatelessError.
        """
        if self.has_ended or self.is_leaving:
            raise UnsentError
        passage = Passage(frame, key, part, asyncio.get_running_loop().create_future(), reservation)
        self._queue.append(passage)
        self._changed.set()
        try:
            return await passage.future
        except asyncio.CancelledError:
            self._withdraw(passage)
            raise

    def doubt(self) -> None:
        """The cloud answers by another connection. If this one owes an answer, it may be dead: go on over a new one."""
        if self._traffic and self._traffic.owes_since is not None:
            self._traffic.connection.break_off()

    @property
    def is_silent(self) -> bool:
        """Whether nothing has come for so long, although something should have, that its connection is probably dead."""
        since = self._traffic.owes_since if self._traffic and self._is_up else self._began
        return since is not None and self._means.clock() - since > self.longest_s

    async def close(self) -> None:
        """End it at once; frames under way are lost to it."""
        self._is_closing = True
        if self.is_open and self._traffic and not self._traffic.waiting:
            with contextlib.suppress(TimeoutError):
                await asyncio.wait_for(self._traffic.bye(), _BYE_S)
        self._task.cancel()
        await asyncio.gather(self._task, return_exceptions=True)

    def _withdraw(self, passage: Passage) -> None:
        with contextlib.suppress(ValueError):  # also one that waits to be sent once more
            self._queue.remove(passage)
        if passage.number is None:
            if passage.part is not None:
                passage.part.forget("lost")
            self._metrics.frame("withdrawn")
            return
        self._metrics.frame("cancelled")
        self._means.flow.gave_up()
        if self._traffic:
            self._traffic.withdraw(passage)
            if self.is_silent:
                self._traffic.connection.break_off()
            self._changed.set()

    async def _run(self) -> None:
        try:
            welcome = await self._begin()
            while not await self._go_on():
                welcome = await self._resume(welcome.session)
        except NoUpgradeError as error:
            self.problem = error
        except Exception as error:  # noqa: BLE001 - frames go by HTTP then
            _log.exception("a session failed")
            self.problem = NoUpgradeError("protocol", str(error))
        finally:
            self._end()
            if self._traffic:
                await self._traffic.connection.abort()

    async def _begin(self) -> Welcome:
        welcome = await self._connect(b"", (), self._means.opening_s)
        self.is_open = True
        self._metrics.opened.inc()
        self._metrics.open.inc()
        if not self.opened.done():
            self.opened.set_result(None)
        return welcome

    async def _connect(self, session: bytes, unanswered: tuple[int, ...], patience_s: float) -> Welcome:
        """A connection, and the cloud's welcome over it. Raises NoUpgradeError."""
        hello = replace(self._hello, session=session, unanswered=unanswered)
        connection, protocol, welcome = await open_connection(self._means, hello, self._next, patience_s)
        earlier, self._is_up = self._traffic, True
        self._traffic = Traffic(connection, protocol, welcome, self._means)
        if earlier:
            if welcome.resumed:
                for number in {*unanswered, *earlier.given_up} - earlier.waiting.keys():
                    self._traffic.give_up(number)
            else:  # another session, which knows none of these numbers
                for passage in (*earlier.waiting.values(), *self._queue):
                    passage.number = None
            self._again(earlier.waiting, set(welcome.received) if welcome.resumed else set())
        return welcome

    def _again(self, before: dict[int, Passage], received: set[int]) -> None:
        """Frames that had no answer when the connection broke: await those that have come, send the others once more."""
        assert self._traffic
        back = []
        for number, passage in before.items():
            if number in received:
                self._traffic.expect(passage)
            elif not passage.may_go_alone or passage.resent:
                self._metrics.frame("stateless" if not passage.may_go_alone else "lost")
                passage.lost()
            else:
                passage.resent = True
                self._metrics.frame("resent")
                back.append(passage)
        self._queue.extendleft(reversed(back))
        self._changed.set()

    async def _resume(self, session: bytes) -> Welcome:
        """After a break. Raises NoUpgradeError if there is no other connection."""
        assert self._traffic
        self.place = object()
        self._began, self._is_up = self._means.clock(), False
        self._traffic.broke()
        self._futile += 1
        if self._futile > _FUTILE or not (self.answers or self._queue or self._traffic.waiting):
            self._metrics.reconnects.labels(result="failed").inc()
            raise NoUpgradeError("closed", "the connection was closed at once")
        for pause_s in _PAUSES_S:
            await asyncio.sleep(pause_s)
            try:
                welcome = await self._connect(session, tuple(self._traffic.waiting), self._means.going_on_s())
            except NoUpgradeError as error:
                if pause_s == _PAUSES_S[-1] or error.reason not in ("closed", "unreachable"):
                    self._metrics.reconnects.labels(result="failed").inc()
                    raise
            else:
                self._metrics.reconnects.labels(result="resumed" if welcome.resumed else "anew").inc()
                return welcome
        raise AssertionError

    async def _go_on(self) -> bool:
        """Send and receive until the connection breaks (false), or the cloud, or this side, has let the session go in good order (true)."""
        traffic = self._traffic
        assert traffic
        try:
            await Pump(self, self._queue, self._changed, traffic, self._metrics).run()
        finally:
            self._next = traffic.protocol.next_number
            self._metrics.bytes.labels(direction="down").inc(traffic.untold_bytes())
        if self._is_closing:  # that its connection ends is no break
            return True
        if self.is_leaving:
            await traffic.bye()
            return True
        await traffic.connection.abort()
        return False

    def was_answered(self) -> None:
        """An answer came."""
        self.answers += 1
        self._futile = 0

    def leave(self, reason: str) -> None:
        """The cloud ends it."""
        if self.is_leaving:
            return
        self.is_leaving = True
        self._metrics.open.dec()
        lose(self._queue)
        self.on_leave(reason)
        if reason == "replaced" and self._traffic:
            self._traffic.connection.break_off()

    def give_back(self) -> None:
        """What waits here may go another way."""
        lose(self._queue)

    def _end(self) -> None:
        if self.is_open and not self.is_leaving:
            self._metrics.open.dec()
        self.has_ended, self.is_open = True, False
        self.place = object()
        lose(self._queue)
        if self._traffic:
            self._traffic.lose()
        if not self.opened.done():
            self.opened.set_result(None)
        self.on_end()
