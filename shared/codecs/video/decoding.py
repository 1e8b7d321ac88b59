"""The packets of one video into pictures, each at once.

FFmpeg's decoders are a large target. Bytes from the network are decoded only in a process that may die: cloud/bodies/video.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import av
from av.codec.context import CodecContext, Flags
from av.packet import Packet
from av.video.codeccontext import VideoCodecContext

from shared.codecs.video.colours import ToRgb
from shared.codecs.video.kinds import coded_size
from shared.errors import ContentError

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from shared.codecs.video.kinds import Kind

_SPARE = 64
"""Rows and columns that a coded picture may have beyond its size: whole blocks."""


class Decoder:
    """One video of one size, from a keyframe on. Used by one thread at a time."""

    def __init__(self, kind: Kind, shape: tuple[int, ...]) -> None:
        """`shape` of its pictures, (H, W, 3)."""
        self._kind = kind
        self._shape = shape
        self._to_rgb = ToRgb()
        height, width = coded_size(shape)
        context = CodecContext.create(kind.decoder, "r")
        assert isinstance(context, VideoCodecContext)
        context.thread_count = 1
        context.thread_type = "SLICE"
        context.flags |= Flags.low_delay | Flags.unaligned
        context.options = {
            "max_pixels": str((height + _SPARE) * (width + _SPARE)),
            "err_detect": "crccheck+bitstream+buffer+explode",
            **({"max_frame_delay": "1"} if kind.decoder == "libdav1d" else {}),
        }
        self._context = context

    def decode(self, payload: bytes) -> NDArray[np.uint8]:
        """The picture in one payload, (H, W, 3) uint8 RGB. Raises ContentError, after which the video is over."""
        name = self._kind.name
        try:
            frames = self._context.decode(Packet(payload))
            if len(frames) == 1 and not frames[0].is_corrupt:
                return self._to_rgb(frames[0], self._shape, name)
        except (av.error.FFmpegError, ValueError, MemoryError) as error:
            said = " ".join(str(getattr(error, "strerror", None) or error).split())
            raise ContentError(f"not a readable {name} picture: {said or type(error).__name__}") from None
        if frames:
            raise ContentError(f"not a readable {name} picture: {len(frames)} pictures, or a damaged one")
        raise ContentError(f"not a readable {name} picture: nothing comes of it")
