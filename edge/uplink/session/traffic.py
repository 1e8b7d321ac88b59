"""What is under way over one connection of a session, by number."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from edge.uplink.reply import computing_s_of
from edge.uplink.session.connection import BrokenOffError, framed
from edge.uplink.session.lanes import Lanes
from edge.uplink.session.metrics import LEAVING
from edge.uplink.session.passage import Back
from shared.errors import WireError
from shared.wire.session.messages import Answered, GoAway, KeyframeWanted, Refused

if TYPE_CHECKING:
    from collections.abc import Awaitable

    from edge.uplink.session.connection import Connection
    from edge.uplink.session.opening import Means
    from edge.uplink.session.passage import Passage
    from shared.wire.session.edge import EdgeConnection
    from shared.wire.session.messages import Welcome

_FIRST_TIMED = 8
_TIMED_EVERY = 8
_TIMED_S = 2.0
_MOST_GIVEN_UP = 1024
_NUMBER_BYTES = 2


class Traffic:
    """Used from the event loop only."""

    def __init__(
        self,
        connection: Connection,
        protocol: EdgeConnection,
        welcome: Welcome,
        means: Means,
    ) -> None:
        self.connection = connection
        self.protocol = protocol
        self.waiting: dict[int, Passage] = {}
        """Frames that were sent and are awaited, in the order of their sending."""
        self.answers = 0
        self._welcome = welcome
        self._lanes = Lanes(welcome.streams)
        self._flow = means.flow
        self._estimate = means.estimate
        self._metrics = means.metrics
        self._clock = means.clock
        self._sizes: dict[int, int] = {}
        """Bytes of every frame that may still be on the link, awaited or not, in the order of sending."""
        self._withdrawn: list[int] = []
        self.given_up: dict[int, None] = {}
        """Numbers of frames whose answers may come and are not awaited, the latest of them."""
        self._pings: dict[int, tuple[float, int | None]] = {}
        self._sent = self._told = 0
        self._heard_at = means.clock()
        self._sending_since: float | None = None

    @property
    def is_full(self) -> bool:
        """Whether the cloud takes no more frames before it has answered some."""
        return len(self.waiting) >= self._welcome.frames

    @property
    def owes_since(self) -> float | None:
        """Since when something should have come back; None if nothing should."""
        owed = [each.sent_at for each in self.waiting.values()]
        owed += [sent_at for sent_at, _ in self._pings.values()]
        owed += [] if self._sending_since is None else [self._sending_since]
        return max(self._heard_at, min(owed)) if owed else None

    def untold_bytes(self) -> int:
        """Bytes received that have not been counted yet."""
        new = self.connection.received_bytes - self._told
        self._told += new
        return new

    def expect(self, passage: Passage) -> None:
        """Its frame came over an earlier connection, its answer comes over this one."""
        assert passage.number is not None
        self.waiting[passage.number] = passage

    def give_up(self, number: int) -> None:
        """An answer to this number may come, and is not awaited."""
        self.given_up[number] = None
        while len(self.given_up) > _MOST_GIVEN_UP:
            del self.given_up[next(iter(self.given_up))]

    def may_send(self, passage: Passage) -> bool:
        """Whether the frame before it in its stream, if it needs that, was sent over this connection."""
        return self._lanes.may_send(passage.key, passage.part)

    async def send(self, passage: Passage) -> None:
        """Send the frame. Raises WireError if it does not fit, BrokenOffError."""
        now = self._clock()
        timings = self._sent < _FIRST_TIMED or self._sent % _TIMED_EVERY == 0
        timings = timings or now - self._estimate.timed_at > _TIMED_S
        lane = self._lanes.number_of(passage.key)
        number, messages = self.protocol.frame(passage.frame, lane, timings=timings, number=passage.number)
        self._lanes.sent(passage.key, passage.part)
        # From here on it counts as sent: it may have been, if the connection breaks in the middle of it.
        passage.number, passage.sent_at = number, now
        passage.sent_bytes = sum(framed(len(message)) for message in messages)
        self.waiting[number] = passage
        self.given_up.pop(number, None)
        self._sizes[number] = passage.sent_bytes
        self._sent += 1
        if passage.reservation:
            passage.reservation.written()
        self._flow.wrote(passage.sent_bytes)
        self._estimate.sent(number, passage.sent_bytes)
        self._metrics.bytes.labels(direction="up").inc(passage.sent_bytes - passage.frame.payload_bytes)
        for message in messages:
            await self._taken(self.connection.send(message))
        if self._estimate.wants_probe and not self._pings:
            await self._ping(None)

    def withdraw(self, passage: Passage) -> None:
        """Nobody waits for its answer any more."""
        assert passage.number is not None
        if self.waiting.pop(passage.number, None):
            self._withdrawn.append(passage.number)
            self.give_up(passage.number)
            self._estimate.gave_up(passage.number)

    async def cancel_withdrawn(self) -> None:
        """Tell the cloud, and learn when that has come: then what was sent before it has left the link, too."""
        numbers, self._withdrawn = self._withdrawn, []
        if numbers:
            size = await self._taken(self.connection.send(self.protocol.cancel(numbers)))
            self._metrics.bytes.labels(direction="up").inc(size)
            await self._ping(next(reversed(self._sizes), None))

    async def nudge(self, after_s: float) -> None:
        """Ask for a sign of life if something has been owed for so long: a cloud that only takes its time gives one."""
        since = self.owes_since
        if since is None or self._pings or self._sending_since is not None:
            return
        if self._clock() - since > after_s:
            await self._ping(None)

    async def drained(self) -> None:
        """Wait until little of what was sent is still here. Raises BrokenOffError."""
        await self._taken(self.connection.drained())

    async def _taken(self, sending: Awaitable[Any]) -> Any:
        """What the link does not take is owed, whether anybody waits for it or not."""
        self._sending_since = self._clock()
        try:
            return await sending
        finally:
            self._sending_since = None

    def broke(self) -> None:
        """Nothing is on the link any more."""
        self._flow.broke(sum(self._sizes.values()))
        self._sizes.clear()
        self._estimate.broke()

    def lose(self) -> None:
        """Its session has ended."""
        for passage in self.waiting.values():
            self._metrics.frame("lost")
            passage.lost()
        self.broke()

    async def bye(self) -> None:
        """End the session in good order."""
        try:
            await self.connection.send(self.protocol.bye())
        except BrokenOffError:
            return
        await self.connection.close()

    async def receive(self) -> str | None:
        """The next message; why the cloud ends the session, if it does. Raises BrokenOffError, WireError."""
        message = await self.connection.receive()
        self._heard_at = self._clock()
        if isinstance(message, int):
            self._ponged(message)
            return None
        size = self.untold_bytes()
        said = self.protocol.received(message)
        if isinstance(said, Answered | Refused):
            body = len(said.body) if isinstance(said, Answered) else 0
            self._metrics.bytes.labels(direction="down").inc(max(0, size - body))
            self._answered(said, size)
            return None
        self._metrics.bytes.labels(direction="down").inc(size)
        if isinstance(said, KeyframeWanted):
            part = self._lanes.wanted(said.stream)
            under_way = (each.part for each in self.waiting.values())
            if part and not any(
                each and each.stream is part.stream and each.is_keyframe for each in under_way
            ):
                part.forget("wanted")
            return None
        if isinstance(said, GoAway):
            self._metrics.go_aways.labels(reason=said.reason if said.reason in LEAVING else "other").inc()
            return said.reason
        raise WireError("a cloud welcomes once in a connection")

    def _answered(self, said: Answered | Refused, size: int) -> None:
        number = said.number
        passage = self.waiting.pop(number, None)
        if passage is None:
            if number not in self.given_up:
                raise WireError(f"an answer came to the frame {number}, which nobody has asked about")
            del self.given_up[number]
            self._leave_link(number, self._estimate.answered(number, None))
            return
        computing_s = computing_s_of(said.steps_ms if isinstance(said, Answered) else {})
        self._leave_link(number, self._estimate.answered(number, computing_s))
        self.answers += isinstance(said, Answered)
        self._flow.in_time()
        self._metrics.frame("answered" if isinstance(said, Answered) else "refused")
        way_s = (
            self._clock()
            - passage.sent_at
            - (self._estimate.computing_s if computing_s is None else computing_s)
        )
        if not passage.future.done():
            back = Back(said, self._welcome.cloud, passage.sent_bytes, size, way_s)
            passage.future.set_result(back)

    def _leave_link(self, number: int, left_at: float) -> None:
        """The frame has come, and all that were sent before it."""
        gone = 0
        while number in self._sizes:
            first = next(iter(self._sizes))
            gone += self._sizes.pop(first)
        if gone:
            self._flow.left(gone, left_at, self._estimate.computing_s)

    async def _ping(self, upto: int | None) -> None:
        self._pings[await self.connection.ping()] = self._clock(), upto
        self._metrics.bytes.labels(direction="up").inc(framed(_NUMBER_BYTES))

    def _ponged(self, ping: int) -> None:
        sent_at, upto = self._pings.pop(ping, (None, None))
        if sent_at is None:
            return
        self._metrics.bytes.labels(direction="down").inc(self.untold_bytes())
        if upto is None:
            self._estimate.probed(sent_at, framed(_NUMBER_BYTES))
        else:
            self._leave_link(upto, self._estimate.passed(upto, sent_at))
