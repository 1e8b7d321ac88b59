"""Pictures into the packets of one video, each at once."""

from __future__ import annotations

import os
from fractions import Fraction
from typing import TYPE_CHECKING

import av
from av.codec.context import CodecContext
from av.video.codeccontext import VideoCodecContext
from av.video.frame import PictureType

from shared.codecs.video.colours import ToYuv
from shared.codecs.video.kinds import coded_size
from shared.codecs.video.scheduling import kept_scheduling
from shared.errors import ContentError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from shared.codecs.video.kinds import Kind

_RATE = 10
"""Pictures a second that an encoder is told of. It has no buffer to fill, so nothing follows from it."""
_NEVER = 1 << 30
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
