"""One frame posted to the cloud and its answer read, with what both tell about the link."""

from __future__ import annotations

import asyncio
import logging
import math
import time
from typing import TYPE_CHECKING, Any

from edge.uplink.client import BrokenError, ProxyError
from edge.uplink.profiles.clouds import UNNAMED
from edge.uplink.profiles.lacking import Lacking
from edge.uplink.reply import Reply, UntrueError, computing_s_of, reply_of
from shared.errors import UplinkError
from shared.wire.frame import unpack
from shared.wire.http import CONTENT_TYPE

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.metrics import EdgeMetrics
    from edge.uplink.asking.question import Question
    from edge.uplink.line import Line
    from edge.uplink.profiles.upload import ProfileUpload

_log = logging.getLogger(__name__)

_DEADLINE_SHARE = 0.9
"""Share of the deadline after which an abandoned frame shows that the link or the cloud was too slow for it."""
_MEASURED_EVERY = 8
"""Frames between two whose bytes beside the payload are counted."""
_TELL_S = 60.0
"""Between two lines about answers that cannot be true: a cloud that lies does not fill the log."""


_UNTRUE = "an answer of the cloud cannot be true, so the edge answers itself: %s%s"
_OF_PROXY = "no cloud answered, but a balancer or proxy before it: %s; the frame is sent once more, then the edge answers itself%s"


class _Now:
    """Says something now and then: whoever causes it often does not fill the log."""

    def __init__(self, line: str, clock: Callable[[], float]) -> None:
        self._line = line
        self._clock = clock
        self._at, self._untold = -math.inf, 0

    def tell(self, error: UplinkError) -> None:
        """Say it, unless that was done lately."""
        if self._clock() < self._at + _TELL_S:
            self._untold += 1
            return
        more = f"; {self._untold} more since this was last said" if self._untold else ""
        _log.warning(self._line, error, more)
        self._at, self._untold = self._clock(), 0


class Exchange:
    """Posts frames over one line."""

    def __init__(self, line: Line, metrics: EdgeMetrics, clock: Callable[[], float] = time.monotonic) -> None:
        self._line = line
        self._untrue = _Now(_UNTRUE, clock)
        self._told_of_proxy = _Now(_OF_PROXY, clock)
        self._link = line.link
        self._metrics = metrics

    async def post(
        self,
        frame: bytes,
        upload: ProfileUpload | None,
        question: Question,
        payload_bytes: int | None = None,
    ) -> Reply:
        """Post the frame and read the answer. `payload_bytes`: of its payloads, where that is known without reading it.

        The frame is posted once more if the connection breaks before there is an answer (it may then be answered twice), or a balancer
        has no cloud for it; and again if the cloud lacks its profile: after that was brought, or as another cloud may have it. Raises
        UplinkError.
        """
        if upload:
            await upload.ready()
        lacking = Lacking(upload) if upload else None
        may_retry = True
        afresh = False
        while True:
            number, start = self._link.sent(len(frame)), time.perf_counter()
            connection: dict[str, Any] = {} if number % _MEASURED_EVERY else {"overhead": 0}
            try:
                status, body = await self._line.client.request(
                    "POST", question.path, 2 * question.deadline_s, connection, afresh=afresh, data=frame,
                    headers={"Content-Type": CONTENT_TYPE},
                )  # fmt: skip
                reply = await reply_of(status, body, frame, question, connection.get("cloud"))
            except asyncio.CancelledError:
                waited_s = time.perf_counter() - start
                self._link.gave_up(number, at_deadline=waited_s >= _DEADLINE_SHARE * question.deadline_s)
                raise
            except BaseException as error:
                self._link.gave_up(number)
                self.note(error)
                if isinstance(error, UplinkError):
                    error.retry_after_s = connection.get("retry_after_s")
                may_pass = isinstance(error, BrokenError) or (isinstance(error, ProxyError) and error.passes)
                if may_pass and may_retry:
                    may_retry, afresh = False, isinstance(error, BrokenError)
                    _log.debug("sending a frame once more: %s", error)
                    self._metrics.fleet.retries.inc()
                elif isinstance(error, UplinkError) and error.reason == "profile" and lacking:
                    may_retry = True
                    await lacking.resolve(connection.get("cloud", UNNAMED), question.deadline_s)
                else:
                    raise
            else:
                if upload:
                    upload.holders.note(reply.cloud or UNNAMED, there=True)
                if "overhead" in connection:
                    if payload_bytes is None:
                        payload_bytes = unpack(frame).payload_bytes
                    self._line.overhead.by_http(connection["overhead"] + len(frame) - payload_bytes)
                fresh = connection.get("fresh", False)
                self._learn(number, len(frame), reply, start, fresh=fresh)
                return reply

    def note(self, error: BaseException) -> None:
        """Say and count what a user has to know of."""
        if isinstance(error, UntrueError):
            self._untrue.tell(error)
        elif isinstance(error, ProxyError):
            self._metrics.fleet.proxy_answered(error.status)
            self._told_of_proxy.tell(error)

    def _learn(self, number: int, size: int, reply: Reply, start: float, *, fresh: bool) -> None:
        """Tell the link about an answered frame, and export the estimate; `start` is by time.perf_counter."""
        self._line.heard.note(reply.fingerprint)
        receive_s = reply.steps_ms.get("receive", 0.0) / 1e3
        computing_s = computing_s_of(reply.steps_ms) or 0.0
        self._link.answered(
            number, receive_s=receive_s, computing_s=computing_s, fresh=fresh, received=reply.received
        )
        on_the_way_s = time.perf_counter() - start - computing_s
        metrics, state = self._metrics, self._link.state
        if on_the_way_s > 0:
            metrics.uplink_throughput.set(size / on_the_way_s)
        metrics.link_throughput.set(state.bytes_per_s)
        metrics.link_round_trip.set(state.round_trip_s)
        metrics.cloud_queue_wait.set(reply.steps_ms.get("queue", 0.0) / 1e3)
