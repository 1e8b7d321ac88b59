"""The camera's own packets, for whoever wants to send or keep them beside the pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, replace
from functools import partial
from typing import TYPE_CHECKING, TypeAlias

from shared.codecs.video.passing import Own

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.stream import VideoStream

    from edge.sources.video.decoder.decoding import Decoded

_KINDS = {"h264": "h264", "hevc": "h265"}
"""What may travel as it is: FFmpeg's names, and our codecs'."""


@dataclass(frozen=True, slots=True)
class Parameters:
    """What a decoder must know of a stream beside its packets; an equal one is the same stream still."""

    codec: str
    """As FFmpeg calls it: `h264`, `hevc`, `av1`, …"""
    extradata: bytes
    """What the container holds once for all packets, such as `avcC`; empty where the packets have it themselves."""
    width: int
    height: int


@dataclass(frozen=True, slots=True)
class Encoded:
    """One packet as it came, before anything of it is decoded."""

    data: bytes
    presented_s: float | None
    """By the stream's clock, as `Shot.media_time_s` is; None where the packet does not say."""
    decoded_s: float | None
    """When it is to be decoded, by the same clock; before `presented_s` where pictures are reordered."""
    keyframe: bool
    """Whether a decoder may start here."""
    parameters: Parameters


PacketTap: TypeAlias = Callable[[Encoded], None]
"""Called in the thread that reads, once for each packet, in the order of the stream. It must return soon, raise nothing, and keep
no more than it can hold: nothing here is queued for it."""


def encoded(packet: Packet[VideoStream], stream: VideoStream, start_s: float) -> Encoded:
    """The packet, copied; its times count from `start_s` of the container's clock."""
    context = stream.codec_context
    tick_s = float(packet.time_base)

    def seconds(ticks: int | None) -> float | None:
        return None if ticks is None else ticks * tick_s - start_s

    return Encoded(
        bytes(packet),
        seconds(packet.pts),
        seconds(packet.dts),
        packet.is_keyframe,
        Parameters(context.name, context.extradata or b"", context.width, context.height),
    )


class OwnPackets:
    """Which packet of one opened stream a picture is, where it is exactly one. Nothing is copied until somebody wants to send it."""

    def __init__(self, stream: VideoStream) -> None:
        self._context = stream.codec_context
        self._kind = _KINDS.get(self._context.name)
        self._number = 0

    def told(self, packet: Packet[VideoStream], decoded: list[Decoded]) -> list[Decoded]:
        """What came of a packet, with the packet if that is one whole picture, which was not held back to be shown later."""
        self._number += 1
        if self._kind is None or len(decoded) != 1 or packet.pts is None:
            return decoded
        (one,) = decoded
        if one.frame.pts != packet.pts or one.damaged or one.frame.interlaced_frame:
            return decoded
        extradata = self._context.extradata or b""
        return [replace(one, own=Own(self._kind, self, self._number, partial(bytes, packet), extradata))]
