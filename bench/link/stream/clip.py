"""A clip as a live camera plays it: its own packets, without end, from a key frame on."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Iterator
    from fractions import Fraction
    from pathlib import Path

    import numpy as np
    from av.packet import Packet
    from av.video.stream import VideoStream
    from numpy.typing import NDArray

TICKS_PER_S = 90_000
"""MPEG-TS's clock."""


@dataclass(frozen=True)
class Clip:
    """A file, of which the first part is for fitting and the rest is played: nothing is measured on what was fitted to."""

    path: Path
    begin: int
    """Number of the first picture that is played: that of a key frame."""
    shown: tuple[int, ...]
    """For each packet that is played, in the file's order, its picture's place among them, from 0."""
    own_fps: Fraction

    @classmethod
    def of(cls, path: Path) -> Clip:
        """From its last key frame in the first half on. Raises ValueError for what is no video, or has no such packets."""
        found = [(packet.pts, packet.is_keyframe) for packet in _packets(path)]
        if not found or any(pts is None for pts, _ in found):
            raise ValueError(f"{path} is no video whose packets have times")
        order = {
            pts: place for place, (pts, _) in enumerate(sorted(found, key=lambda each: int(each[0] or 0)))
        }
        half = len(found) // 2
        begin = max((at for at, (_, is_key) in enumerate(found) if is_key and at <= half), default=0)
        first = order[found[begin][0]]
        places = tuple(order[pts] - first for pts, _ in found[begin:])
        if min(places) < 0:
            raise ValueError(f"{path}: pictures after its key frame are shown before it")
        return cls(path, first, places, _fps(path))

    @property
    def name(self) -> str:
        return self.path.stem

    def __len__(self) -> int:
        """Pictures that are played before it begins anew."""
        return len(self.shown)

    @property
    def delay(self) -> int:
        """By how many pictures the times of showing are later than those of sending, so that none is sent too late."""
        return max(place - shown for place, shown in enumerate(self.shown))

    def stamped(self, fps: float) -> Iterator[tuple[Packet[VideoStream], float]]:
        """Its packets with the times that they have as a stream of so many pictures a second, and when each is due, in seconds."""
        sent = 0
        while True:
            for place, packet in enumerate(self._played()):
                shown = sent + self.shown[place] + self.delay
                packet.pts, packet.dts = (
                    round(number * TICKS_PER_S / fps) for number in (shown, sent + place)
                )
                yield packet, (sent + place) / fps
            sent += len(self)

    def picture_at(self, media_time_s: float, fps: float) -> int:
        """The number in the file of the picture that has this time in the stream."""
        return self.begin + (round(media_time_s * fps) - self.delay) % len(self)

    def pictures(self) -> list[NDArray[np.uint8]]:
        """All of the file's, (H, W, 3) BGR, as an edge reads them."""
        from bench.harness.network import frames_of

        return list(frames_of(str(self.path)))

    def _played(self) -> Iterator[Packet[VideoStream]]:
        for place, packet in enumerate(_packets(self.path)):
            if place >= self.begin:
                yield packet


def _packets(path: Path) -> Iterator[Packet[VideoStream]]:
    import av

    with av.open(str(path)) as container:
        for packet in container.demux(container.streams.video[0]):
            if packet.size:
                yield packet


def _fps(path: Path) -> Fraction:
    import av

    with av.open(str(path)) as container:
        rate = container.streams.video[0].average_rate
    if not rate:
        raise ValueError(f"{path} does not say how many pictures a second it has")
    return rate
