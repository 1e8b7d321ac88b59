"""Every video that this cloud decodes: how many there are, whose, and what they cost. On the event loop only."""

from __future__ import annotations

import asyncio
import logging
import time
from collections import Counter
from typing import TYPE_CHECKING

from cloud.access.refusals import BusyError
from cloud.access.turns import FairTurns
from cloud.bodies.video.process import Nursery
from cloud.bodies.video.stream import VideoStream
from shared.errors import CodecError
from shared.limits import MAX_CLIENT_VIDEO_STREAMS

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from cloud.access.clients import Account
    from cloud.bodies.video.messages import Question
    from cloud.bodies.video.process import VideoProcess
    from cloud.metrics import CloudMetrics
    from shared.wire.frame import EncodedTensor

_log = logging.getLogger(__name__)

_IDLE_S = 60.0
_SAID_EVERY_S = 10.0


class VideoDecoders:
    """Gives each stream a process while it needs one, and ends that of another where there are too many."""

    def __init__(
        self,
        most: int,
        threads: int,
        metrics: CloudMetrics,
        nursery: Nursery | None = None,
        *,
        idle_s: float = _IDLE_S,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """At most so many processes, 0: no video is decoded; `threads` of them may compute at once. `idle_s`: one without pictures is ended."""
        self.turns = FairTurns(threads)
        self.idle_s = idle_s
        self._most = most
        self._metrics = metrics
        self._nursery = nursery or Nursery()
        self._clock = clock
        self._running: list[VideoStream] = []
        self._starting: Counter[str] = Counter()
        self._said_s = float("-inf")
        self._unsaid = 0

    def open(self, account: Account) -> VideoStream:
        """A stream of this client's, which takes nothing until its first keyframe comes. `close` it."""
        return VideoStream(self, account)

    async def picture(
        self, tensor: EncodedTensor, account: Account, timeout_s: float, stream: VideoStream | None = None
    ) -> NDArray[np.uint8]:
        """The picture of a frame that is the next one of `stream`; without one it must be a keyframe. Raises what `VideoStream.decode` does."""
        used = stream or self.open(account)
        try:
            return await used.decode(tensor.codec_id, tensor.params, tensor.payload, tensor.shape, timeout_s)
        finally:
            if used is not stream:
                used.close()

    def stop(self) -> None:
        """End all processes. Pictures that are under way are refused."""
        self._most = 0
        self.turns.stop()
        for stream in list(self._running):
            stream.close()
        self._nursery.stop()

    def require_any(self) -> None:
        """Raise CodecError where no video is decoded."""
        if not self._most:
            raise CodecError("this cloud decodes no video (--video-streams 0)")

    async def begin(self, stream: VideoStream) -> VideoProcess:
        """A process for this stream, which has none; that of another may be ended for it.

        Raises BusyError where all are at work, and OSError if none can be started.
        """
        name = stream.account.name
        self._make_room(stream)
        self._starting[name] += 1
        # Who gives up must not end what starts: on a busy machine that may take longer than anybody's deadline.
        beginning = asyncio.ensure_future(self._nursery.begin())
        try:
            process = await asyncio.shield(beginning)
        except asyncio.CancelledError:
            beginning.add_done_callback(_end)
            raise
        finally:
            self._starting[name] -= 1
            if not self._starting[name]:
                del self._starting[name]  # whoever sent one picture is not remembered
        self._running.append(stream)
        self._metrics.video_streams.set(len(self._running))
        return process

    def ended(self, stream: VideoStream) -> None:
        """Its process is no more."""
        self._running.remove(stream)
        self._metrics.video_streams.set(len(self._running))

    def charge(self, account: Account, seconds: float) -> None:
        """For what a picture took."""
        account.spend(seconds)
        self._metrics.step_cpu.labels("decode").inc(seconds)

    def count(
        self,
        why: str,
        stream: VideoStream | None = None,
        question: Question | None = None,
        error: Exception | None = None,
    ) -> None:
        """A stream has lost its state; with its picture and error, it is said too: now and then, as a client may send nothing else."""
        self._metrics.video_lost.labels(why=why).inc()
        if stream is None or question is None:
            return
        self._unsaid += 1
        if self._clock() - self._said_s < _SAID_EVERY_S:
            return
        _log.warning(
            "decoding a picture of %d x %d (codec %d, %d bytes) of client %s failed: the process %s; %d so since the last line",
            *(question.height, question.width, question.codec_id, question.length, stream.account.name),
            "took too long" if why == "late" else f"ended ({type(error).__name__})",
            self._unsaid,
        )
        self._said_s, self._unsaid = self._clock(), 0

    def _make_room(self, stream: VideoStream) -> None:
        """Where a client has its share, its own oldest makes room; else, where there are most, that of whoever has most."""
        name = stream.account.name
        held = Counter(each.account.name for each in self._running) + self._starting
        held[name] += 1
        if held[name] > MAX_CLIENT_VIDEO_STREAMS:
            self._displace(name)
        elif held.total() > self._most:
            self._displace(max(held, key=lambda each: (held[each], each == name)))

    def _displace(self, name: str) -> None:
        idle = [each for each in self._running if each.account.name == name and not each.is_busy]
        if not idle:
            raise BusyError("as many videos are decoded as may be at once; try again")
        min(idle, key=lambda each: each.used_s).lose("displaced")


def _end(beginning: asyncio.Future[VideoProcess]) -> None:
    """End a process that nobody waits for any more."""
    if not beginning.cancelled() and not beginning.exception():
        beginning.result().end()
