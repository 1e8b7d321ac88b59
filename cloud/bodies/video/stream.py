"""One video of one client: its state, and the process that decodes it. On the event loop only."""

from __future__ import annotations

import asyncio
import contextlib
import logging
from typing import TYPE_CHECKING, Any, Protocol

from cloud.bodies.video.messages import Question
from shared.codecs.registry import CODECS
from shared.codecs.video.chain import Chain
from shared.codecs.video.checks import check_length
from shared.codecs.video.codec import Video
from shared.codecs.video.kinds import require_installed
from shared.errors import CodecError, ContentError, DeadlineError, StateMissingError, UnavailableError
from shared.limits import MAX_VIDEO_FRAME_S

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from cloud.access.clients import Account
    from cloud.access.turns import FairTurns
    from cloud.bodies.video.process import VideoProcess
    from shared.wire.frame import Bytes

_log = logging.getLogger(__name__)


class Home(Protocol):
    """As much of VideoDecoders as a stream needs; see there."""

    turns: FairTurns
    idle_s: float

    def require_any(self) -> None: ...
    async def begin(self, stream: VideoStream) -> VideoProcess: ...
    def ended(self, stream: VideoStream) -> None: ...
    def charge(self, account: Account, seconds: float) -> None: ...
    def count(
        self,
        why: str,
        stream: VideoStream | None = None,
        question: Question | None = None,
        error: Exception | None = None,
    ) -> None: ...


class VideoStream:
    """Made by VideoDecoders. It has a process from its first keyframe on, for as long as pictures come."""

    def __init__(self, decoders: Home, account: Account) -> None:
        self.account = account
        self.used_s = 0.0
        """When its last picture was decoded."""
        self._decoders = decoders
        self._chain = Chain()
        self._process: VideoProcess | None = None
        self._what: tuple[Any, ...] = ()
        self._turn = asyncio.Lock()
        self._idle: asyncio.TimerHandle | None = None

    @property
    def is_busy(self) -> bool:
        """Whether a picture of it is under way."""
        return self._turn.locked()

    async def decode(
        self, codec_id: int, params: bytes, payload: Bytes, shape: tuple[int, ...], timeout_s: float
    ) -> NDArray[np.uint8]:
        """The picture of the next frame, (H, W, 3) uint8 RGB. In the order of the calls.

        Raises StateMissingError if the frame needs a state other than the stream's, ContentError if it cannot be decoded, or ended the
        process that decodes it, DeadlineError after `timeout_s`, CodecError where no video is decoded, and what `cloud/access/refusals.py`
        has for a client with too many. After any of these, and after a cancellation, only a keyframe can be decoded.
        """
        until = asyncio.get_running_loop().time() + timeout_s
        try:
            async with asyncio.timeout_at(until), self._turn:
                with self._losing_the_state():
                    return await self._decode(codec_id, bytes(params), payload, shape, until)
        except TimeoutError:
            raise DeadlineError(f"not decoded within the {1e3 * timeout_s:.0f} ms that were left") from None

    def close(self) -> None:
        """The stream is over. May be called again."""
        self._lose()

    def lose(self, why: str) -> None:
        """End its process, so that the next picture must be a keyframe."""
        if self._process:
            self._decoders.count(why)
        self._lose()

    async def _decode(
        self, codec_id: int, params: bytes, payload: Bytes, shape: tuple[int, ...], until: float
    ) -> NDArray[np.uint8]:
        codec = CODECS.get(codec_id)
        if not isinstance(codec, Video):
            raise CodecError(f"the codec of id {codec_id} is none of video")
        self._decoders.require_any()
        require_installed(codec.kind)
        keyframe = self._chain.require(params, shape, codec.name)
        what = (codec_id, shape)
        if not keyframe and what != self._what:
            raise StateMissingError(f"this {codec.name} picture follows one of another codec")
        check_length(codec.kind, payload, shape)
        data = bytes(payload)  # what is in it is for the process to read: cloud/bodies/video/worker.py
        if what != self._what:  # the memory that a process may take is bounded by the size of its pictures
            self._end()
        question = Question(codec_id, keyframe, shape[0], shape[1], len(data), MAX_VIDEO_FRAME_S)
        async with self._decoders.turns.one(self.account.name):
            picture = await self._asked(question, data, until)
        self._what = what
        if keyframe:
            self._chain.begin(data, shape)
        else:
            self._chain.follow(data)
        self._idle_later()
        return picture

    async def _asked(self, question: Question, data: bytes, until: float) -> NDArray[np.uint8]:
        process = await self._ready()
        loop = asyncio.get_running_loop()
        start_s, cpu_s = loop.time(), None
        try:
            async with asyncio.timeout_at(min(until, start_s + MAX_VIDEO_FRAME_S)):
                decoded = await process.decode(question, data)
            cpu_s = decoded.cpu_s
        except (OSError, EOFError, ValueError) as error:  # TimeoutError is an OSError
            if self._process is not process:
                raise UnavailableError("the video was closed while this picture was decoded") from None
            late = isinstance(error, TimeoutError)
            self._decoders.count("late" if late else "died", self, question, error)
            if late and loop.time() >= until:
                raise
            why = f"took more than {MAX_VIDEO_FRAME_S:g} s" if late else "ended the process that decodes it"
            raise ContentError(f"this picture {why}; the next one must be a keyframe") from None
        finally:
            took_s = loop.time() - start_s
            self._decoders.charge(self.account, took_s if cpu_s is None else min(cpu_s, took_s))
        if decoded.picture is None:
            raise decoded.error or ContentError("this picture could not be decoded")
        return decoded.picture

    async def _ready(self) -> VideoProcess:
        if self._process is None:
            try:
                self._process = await self._decoders.begin(self)
            except OSError as error:
                _log.warning("no process for a video could be started: %r", error)
                raise UnavailableError("no process for this video could be started; try again") from None
        return self._process

    @contextlib.contextmanager
    def _losing_the_state(self) -> Iterator[None]:
        try:
            yield
        except BaseException:
            self._lose()
            raise

    def _idle_later(self) -> None:
        loop = asyncio.get_running_loop()
        self.used_s = loop.time()
        if self._idle:
            self._idle.cancel()
        self._idle = loop.call_later(self._decoders.idle_s, self._end_if_idle)

    def _end_if_idle(self) -> None:
        if not self.is_busy:
            self.lose("idle")

    def _lose(self) -> None:
        self._chain.forget()
        self._end()

    def _end(self) -> None:
        if self._idle:
            self._idle.cancel()
        if self._process:
            self._process.end()
            self._process = None
            self._decoders.ended(self)
