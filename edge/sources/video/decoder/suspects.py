"""Packets that a decoder would take without a word, although a part of them is missing."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.sources.pictures.jpeg import refuse_damaged
from edge.sources.pictures.unreadable import UnreadableError
from shared.codecs.pictures.jpeg import END_MARKER

if TYPE_CHECKING:
    from av.packet import Packet
    from av.video.stream import VideoStream

_JPEG = b"\xff\xd8\xff"
_TAIL = 256


def is_cut_off(packet: Packet[VideoStream]) -> str:
    """Why the packet cannot be whole; empty if nothing tells.

    Of the packets that are files of their own, JPEGs are looked at: a decoder goes on over zeros where the rest should be. Only one without
    its end marker is, as looking takes long.
    """
    data = memoryview(packet)
    if bytes(data[:3]) != _JPEG or END_MARKER in bytes(data[-_TAIL:]):
        return ""
    try:
        refuse_damaged(bytes(data))
    except UnreadableError as error:
        return str(error)
    return ""
