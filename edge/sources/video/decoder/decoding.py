"""Packets into frames: what cannot be decoded is skipped, counted, and said once a run."""

from __future__ import annotations

import logging
from dataclasses import dataclass
from typing import TYPE_CHECKING, Self

import av
from av.codec.context import Flags

from edge.sources.video.decoder.aspects import Aspects
from edge.sources.video.decoder.clock import Clock
from edge.sources.video.decoder.complaints import Complaints
from edge.sources.video.decoder.numbering import Numbering
from edge.sources.video.decoder.suspects import is_cut_off
from edge.sources.video.decoder.tally import Tally
from shared.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable
    from fractions import Fraction

    from av.packet import Packet
    from av.video.frame import VideoFrame
    from av.video.stream import VideoStream

    from shared.codecs.video.passing import Own

_log = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Decoded:
    """A frame as the decoder gave it."""

    frame: VideoFrame
    number: int
    """Which picture of the stream it is, from 0."""
    pts: int | None
    """When it is shown, in ticks of the stream."""
    aspect: Fraction | None
    """How many times as wide as high its pixels are; None if nothing says so."""
    damaged: bool
    """Whether a part of it may be made up."""
    own: Own | None = None
    """The packet that it is, and that is nothing else."""


class Decoding:
    """The decoder of one stream. One thread uses it, inside `with`."""

    def __init__(
        self,
        stream: VideoStream,
        threads: int,
        name: str,
        on_undecodable: Callable[[], None],
        *,
        joined: bool = False,
    ) -> None:
        """`joined`: the stream began before it was opened, so what comes before its first key frame is not missed."""
        self._stream = stream
        self._name = name
        self._on_undecodable = on_undecodable
        self._complaints = Complaints(threads)
        self._numbering = Numbering(joined=joined)
        self._aspects = Aspects(stream)
        self._clock = Clock(stream)
        self._given = 0
        self._lost = Tally()
        self._damaged = Tally()
        self._why = ""
        context = stream.codec_context
        context.flags |= Flags.unaligned  # FFmpeg would leave some columns of what the stream cuts away
        # One picture at a time: with one in each thread, a live source would lag by as many, and a decoder would tell its
        # errors some packets late.
        context.thread_type = "SLICE"
        context.thread_count = threads

    def __enter__(self) -> Self:
        self._complaints.__enter__()
        return self

    def __exit__(self, *exception: object) -> None:
        self._complaints.__exit__(*exception)

    def decode(self, packet: Packet[VideoStream] | None) -> list[Decoded]:
        """The frames that came of a packet; those that still wait, where there is none."""
        self._lost_track_if_told()  # by the demuxer
        # What an edit list cuts away is decoded, as others rest on it, and never shown.
        pts = None if packet is None or packet.is_discard else packet.pts
        if packet is not None:
            self._numbering.sent(pts, dts=packet.dts, keyframe=packet.is_keyframe)
            cut_off = is_cut_off(packet)
            self._why = cut_off or self._why
            if packet.is_corrupt or cut_off:
                self._numbering.went_wrong()
        try:
            frames = self._stream.codec_context.decode(packet)
        except av.error.EOFError:
            frames = []
        except (av.error.FFmpegError, ValueError) as error:
            self._why = self._complaints.taken() or " ".join(str(getattr(error, "strerror", error)).split())
            self._numbering.went_wrong(refused_without_time=packet is not None and pts is None)
            return []
        if complaint := self._complaints.taken():
            self._why = complaint
            self._numbering.went_wrong()
        if packet is not None and packet.is_keyframe:
            self._aspects.look(self._numbering.packets - 1)
        numbered = [self._numbered(frame) for frame in frames]
        return [decoded for decoded in numbered if decoded is not None]

    def lost_track(self, why: str) -> None:
        """Something of the container was unreadable: what follows may rest on what is missing."""
        self._why = why
        self._numbering.went_wrong()

    def finish(self) -> None:
        """Count what was lost at the end. Raises SourceError if there was no picture at all."""
        self._count(self._numbering.ended())
        if not self._given:
            codec = self._stream.codec_context.name
            why = f": {self._why}" if self._why else ""
            raise SourceError(f"{self._name}: a video ({codec}) of which no picture could be decoded{why}")

    def _lost_track_if_told(self) -> None:
        if complaint := self._complaints.taken():
            self.lost_track(complaint)

    def _numbered(self, frame: VideoFrame) -> Decoded | None:
        pts = self._clock.time_of(frame)
        place = self._numbering.shown(
            frame.pts, keyframe=frame.key_frame, unmarked=not frame.pict_type, corrupt=frame.is_corrupt
        )
        if place is None:
            return None
        number, lost, damaged = place
        self._count(lost)
        self._given += 1
        if damaged and self._damaged.add(1):
            _log.warning(
                "%s: frame %d may be wrong, as something before it is damaged: %d so far%s",
                *(self._name, number, self._damaged.total, f" ({self._why})" if self._why else ""),
            )
        return Decoded(frame, number, pts, self._aspects.at(self._numbering.packet), damaged)

    def _count(self, lost: int) -> None:
        for _ in range(lost):
            self._on_undecodable()
        if self._lost.add(lost):
            _log.warning(
                "%s: a picture could not be decoded after frame %d, left out: %d so far%s",
                *(self._name, self._given, self._lost.total, f" ({self._why})" if self._why else ""),
            )
