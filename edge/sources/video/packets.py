"""The camera's own packets, for whoever wants to send or keep them beside the pictures."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.stream import VideoStream


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
