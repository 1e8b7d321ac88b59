"""One light edge: no camera and no head, but real frames, sent as our edge sends them, and one record for each."""

from __future__ import annotations

import asyncio
import json
from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bench.load.command import request_head
from bench.load.connection import Connection, ExchangeError
from shared.wire.frame import pack

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence
    from urllib.parse import SplitResult

    from bench.load.connection import Response
    from shared.wire.frame import Frame

OK, BAD_GATEWAY, BUSY, LATE = 200, 502, 503, 504
RESERVE_S = 0.2
"""What is left of a frame's deadline for the edge's own answer."""
_NUMBER_BITS = 32


@dataclass(frozen=True, slots=True)
class Picture:
    """A frame to be sent again and again, and the class that a cloud finds in it when nothing fails."""

    frame: Frame
    class_id: int


@dataclass(frozen=True, slots=True)
class FrameRecord:
    """What became of one frame; times are seconds of the event loop's clock."""

    edge: int
    frame: int
    frame_id: int
    due: float
    done: float
    answered_by: str
    """`cloud` or `edge`."""
    class_id: int
    expected: int
    """The class that is right."""
    sends: int
    fallback: str | None = None
    """Why the edge answered."""
    cloud: str = ""
    """The id of the cloud that answered, if it gave one."""

    @property
    def latency_s(self) -> float:
        return self.done - self.due


@dataclass(frozen=True, slots=True)
class _Answer:
    class_id: int
    cloud: str


class _NoAnswerError(Exception):
    """Why no cloud has answered: the reason."""


class LightEdge:
    """Sends a frame whenever one is due, on as many connections as frames are under way, which stay open."""

    def __init__(
        self, number: int, session: int, url: SplitResult, pictures: Sequence[Picture], deadline_s: float
    ) -> None:
        """`session`: 32 bits, which begin its frame ids. The frames of one edge begin with another picture than those of the next."""
        self.number, self.session = number, session
        self.made = 0
        """Frames that were due."""
        self.records: list[FrameRecord] = []
        self._url = url
        self._pictures = pictures
        self._deadline_s = deadline_s
        self._source = f"127.1.{number >> 8}.{number & 255}"
        """Its own address, as clouds and balancers count by address."""
        self._idle: list[Connection] = []
        self._clock = asyncio.get_running_loop().time

    async def run(self, due: Iterable[float]) -> None:
        """Send a frame at each of these times, in order, and wait until each has its record."""
        under_way = []
        for at in due:
            await asyncio.sleep(at - self._clock())
            under_way.append(asyncio.create_task(self._treat(self.made, at)))
            self.made += 1
        await asyncio.gather(*under_way)

    def close(self) -> None:
        for connection in self._idle:
            connection.close()
        self._idle.clear()

    async def _treat(self, number: int, due: float) -> None:
        picture = self._pictures[(self.number + number) % len(self._pictures)]
        frame_id = self.session << _NUMBER_BITS | number
        until = due + self._deadline_s - RESERVE_S
        frame = pack(
            replace(picture.frame, frame_id=frame_id, deadline_ms=max(1, int(1e3 * (until - self._clock()))))
        )
        asking = _Asking(self, frame, frame_id, until)
        by, fallback = "cloud", None
        try:
            answer = await asking.answer()
        except _NoAnswerError as reason:
            # In place of the edge's own tail, which has no other answer than the cloud's.
            by, fallback, answer = "edge", str(reason), _Answer(picture.class_id, "")
        self.records.append(
            FrameRecord(
                self.number, number, frame_id, due, self._clock(), by, answer.class_id, picture.class_id, asking.sends,
                fallback, answer.cloud,
            )
        )  # fmt: skip

    async def exchange(self, frame: bytes, until: float, *, afresh: bool) -> Response:
        """Post it once; `afresh`: by a connection of its own, as others may be as dead as the last. Raises ExchangeError."""
        connection = (
            self._idle.pop() if self._idle and not afresh else Connection(self._url, source=self._source)
        )
        request = request_head(self._url, len(frame), {}) + frame
        response = await connection.exchange(request, until - self._clock())
        if connection.is_open:
            self._idle.append(connection)
        return response

    def is_late(self, until: float) -> bool:
        return self._clock() >= until


class _Asking:
    """One frame on its way, sent once more where our edge would send it once more."""

    def __init__(self, edge: LightEdge, frame: bytes, frame_id: int, until: float) -> None:
        self._edge, self._frame, self._frame_id, self._until = edge, frame, frame_id, until
        self.sends = 0

    async def answer(self) -> _Answer:
        """Raises _NoAnswerError with the reason."""
        reason, afresh = "late", False
        while self.sends < 2 and not self._edge.is_late(self._until):
            self.sends += 1
            try:
                response = await self._edge.exchange(self._frame, self._until, afresh=afresh)
            except ExchangeError:
                reason = "late" if self._edge.is_late(self._until) else "unreachable"
                afresh = True
                continue
            if response.status == OK:
                return read_answer(response, self._frame_id)
            reason = {BAD_GATEWAY: "unreachable", BUSY: "busy", LATE: "late"}.get(response.status, "refused")
            if response.cloud or response.status not in (BAD_GATEWAY, BUSY):
                break  # a cloud's own word, or what another would say too
        raise _NoAnswerError(reason)


def read_answer(response: Response, frame_id: int) -> _Answer:
    """The class in an answer to this frame. Raises _NoAnswerError for one that our edge would not believe."""
    try:
        fields = json.loads(response.body)
        class_id = fields["top"][0]["class_id"]
        if fields["frame_id"] != frame_id or type(class_id) is not int:
            raise _NoAnswerError("refused")
    except (ValueError, LookupError, TypeError):
        raise _NoAnswerError("refused") from None
    return _Answer(class_id, response.cloud)
