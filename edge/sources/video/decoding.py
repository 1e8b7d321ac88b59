"""Packets into frames: what cannot be decoded is skipped, counted, and said once a run."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.sources.video.numbering import Numbering
from shared.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable
    from fractions import Fraction

    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Decoded:
    """A frame as the decoder gave it."""

    frame: VideoFrame
    number: int
    """Of its picture in the stream, from 0."""
    pts: int | None
    """When it is shown, in ticks of the stream."""
    aspect: Fraction | None
    """Of its pixels: how many times as wide as they are high; None if nothing says so."""
    damaged: bool
    """Whether a part of it may be made up."""


class Decoding:
    """The decoder of one stream."""

    def __init__(
        self, stream: VideoStream, threads: int, name: str, on_undecodable: Callable[[], None]
    ) -> None:
        self._stream = stream
        self._name = name
        self._on_undecodable = on_undecodable
        self._numbering = Numbering()
        self._given = 0
        self._lost = 0
        self._said = False
        self._why = ""
        self._aspects = _Aspects(stream)
        # One thread a picture, if its slices allow: with a picture in each thread, a live source would lag by as many, and
        # an error would be told some packets late.
        stream.codec_context.thread_type = "SLICE"
        stream.codec_context.thread_count = threads

    def decode(self, packet: Packet | None) -> list[Decoded]:
        """The frames that came of a packet; of all before it, where there is none."""
        import av

        if packet is not None:
            # What an edit list cuts away is decoded, as others rest on it, and never shown.
            pts = None if packet.is_discard else packet.pts
            self._numbering.sent(pts, keyframe=packet.is_keyframe)
            if packet.is_corrupt:
                self._numbering.went_wrong(packet.pts, refused=False)
        try:
            frames = self._stream.codec_context.decode(packet)
        except av.error.EOFError:
            frames = []
        except (av.error.FFmpegError, ValueError) as error:
            self._why = " ".join(str(getattr(error, "strerror", error)).split())
            self._numbering.went_wrong(None if packet is None else packet.pts, refused=packet is not None)
            return []
        self._aspects.look(None if packet is None else packet.pts)
        return [self._numbered(frame) for frame in frames]

    def damaged(self) -> None:
        """Something of the container was unreadable: what follows may rest on what is missing."""
        self._numbering.went_wrong(None, refused=False)

    def finish(self) -> None:
        """Count what was lost at the end. Raises SourceError if there was no picture at all."""
        self._count(self._numbering.ended())
        if not self._given:
            raise SourceError(f"{self._name}: a {self._codec} video, of which no picture could be decoded")

    @property
    def _codec(self) -> str:
        return str(self._stream.codec_context.name)

    def _numbered(self, frame: VideoFrame) -> Decoded:
        number, lost, damaged = self._numbering.shown(
            frame.pts, keyframe=frame.key_frame, corrupt=frame.is_corrupt
        )
        self._count(lost)
        self._given += 1
        return Decoded(frame, number, frame.pts, self._aspects.at(frame.pts), damaged)

    def _count(self, lost: int) -> None:
        for _ in range(lost):
            self._on_undecodable()
        self._lost += lost
        if lost:
            reason = f": {self._why}" if self._why else ""
            _log.warning(
                "%s: %d picture%s could not be decoded after frame %d%s",
                self._name, lost, "s" * (lost > 1), self._given, reason,
            )  # fmt: skip


class _Aspects:
    """The shape of the stream's pixels, which may change in the middle.

    The container's word goes before the stream's own, as in FFmpeg's and other players.
    """

    def __init__(self, stream: VideoStream) -> None:
        self._context = stream.codec_context
        self._own = self._context.sample_aspect_ratio
        self._now = stream.sample_aspect_ratio
        self._fixed = self._now != self._own
        self._next: Fraction | None = None
        self._from: int | None = None

    def look(self, pts: int | None) -> None:
        """See what the decoder found in the packet of the picture at `pts`."""
        found = self._context.sample_aspect_ratio
        if found == self._own or self._fixed:
            return
        if self._from is not None:
            self._now = self._next
        self._own = self._next = found
        self._from = pts
        if pts is None:
            self._now = found

    def at(self, pts: int | None) -> Fraction | None:
        """The aspect of the picture at `pts`: those before the change may come after it was seen."""
        if self._from is not None and (pts is None or pts >= self._from):
            self._now, self._from = self._next, None
        return self._now
