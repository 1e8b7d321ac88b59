"""Pictures into the packets of one video, each at once."""

from __future__ import annotations

import contextlib
import os
import threading
from fractions import Fraction
from pathlib import Path
from typing import TYPE_CHECKING

import av
from av.codec.context import CodecContext
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType

from shared.codecs.video.colours import ToYuv
from shared.codecs.video.kinds import coded_size
from shared.errors import ContentError

if TYPE_CHECKING:
    from collections.abc import Iterator

    import numpy as np
    from numpy.typing import NDArray

    from shared.codecs.video.kinds import Kind

_RATE = 10
"""Pictures a second that an encoder is told of. It has no buffer to fill, so nothing follows from it."""
_NEVER = 1 << 30
_THREADS = Path("/proc/self/task")
os.environ.setdefault("SVT_LOG", "0")  # SVT-AV1 would print its settings on standard error


class Encoder:
    """One video of one size. Used by one thread at a time."""

    def __init__(self, kind: Kind, shape: tuple[int, ...], quality: int) -> None:
        """Raises ContentError for a shape that the encoder does not take."""
        self._kind = kind
        self._to_yuv = ToYuv(shape)
        height, width = coded_size(shape)
        context = CodecContext.create(kind.encoder, "w")
        assert isinstance(context, VideoCodecContext)
        context.width, context.height, context.pix_fmt = width, height, "yuv420p"
        context.time_base, context.framerate = Fraction(1, _RATE), Fraction(_RATE)
        context.gop_size = _NEVER
        context.max_b_frames = 0
        context.thread_count = 1
        context.options = {**dict(kind.options), "crf": str(quality)}
        self._context = context
        self._number = 0
        try:
            with kept_scheduling():
                context.open()
        except (av.error.FFmpegError, ValueError) as error:
            raise ContentError(f"no {kind.name} holds a picture of shape {shape}: {_said(error)}") from None

    def encode(self, picture: NDArray[np.uint8], *, keyframe: bool) -> bytes:
        """The next picture, (H, W, 3) uint8 RGB of the video's shape. The first one must be a keyframe. Raises ContentError."""
        try:
            frame = self._to_yuv(picture)
            frame.pts, frame.time_base = self._number, Fraction(1, _RATE)
            frame.pict_type = PictureType.I if keyframe else PictureType.P
            self._number += 1
            packets = self._context.encode(frame)
        except (av.error.FFmpegError, ValueError, MemoryError) as error:
            raise ContentError(f"the {self._kind.name} encoder failed: {_said(error)}") from None
        if len(packets) != 1 or packets[0].is_keyframe is not keyframe:
            wanted = "a keyframe" if keyframe else "no keyframe"
            raise ContentError(
                f"the {self._kind.name} encoder gave {len(packets)} packets for one picture, or not {wanted} as it was told"
            )
        return self._kind.bare(bytes(packets[0]))


def _said(error: BaseException) -> str:
    return " ".join(str(getattr(error, "strerror", None) or error).split())


@contextlib.contextmanager
def kept_scheduling() -> Iterator[None]:
    """The calling thread, and those that are begun in the block, are scheduled afterwards as the calling one was before. Linux only.

    As root SVT-AV1 (4.1.0; findings/svt-av1-makes-whoever-opens-it-a-real-time-thread.sh) puts its own threads, and the one that opens it, among
    the real-time ones, at the highest priority: whatever they and their children do goes before everything else on the machine.
    """
    if not hasattr(os, "sched_getscheduler") or not _THREADS.is_dir():
        yield
        return
    policy, priority = os.sched_getscheduler(0), os.sched_getparam(0)
    before = _threads()
    try:
        yield
    finally:
        for thread in {*(_threads() - before), threading.get_native_id()}:
            with contextlib.suppress(ProcessLookupError):  # it has just ended
                if os.sched_getscheduler(thread) != policy:
                    os.sched_setscheduler(thread, policy, priority)


def _threads() -> set[int]:
    return {int(each.name) for each in _THREADS.iterdir()}
