"""One opened video: packets in, pictures out."""

from __future__ import annotations

from collections import deque
from fractions import Fraction
from typing import TYPE_CHECKING

import av

from edge.sources.base import Shot
from edge.sources.video.decoder.decoding import Decoding
from edge.sources.video.failures import reason
from edge.sources.video.opening import open_container, pick_stream
from edge.sources.video.packets import OwnPackets, encoded
from edge.sources.video.shown.rendering import Rendering
from shared.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from av.packet import Packet
    from av.video.stream import VideoStream

    from edge.sources.video.decoder.decoding import Decoded
    from edge.sources.video.packets import PacketTap

_MOST_WITHOUT_PICTURE = 10_000  # packets; what has given none by then gives none
_MOST_BAD_READS = 64  # in a row; then it is over


class Reading:
    """What is open of a Video, which see for the arguments. One thread uses it at a time."""

    def __init__(
        self,
        target: str,
        name: str,
        options: Mapping[str, str],
        timeouts: tuple[float | None, float | None],
        *,
        threads: int,
        live: bool,
        on_undecodable: Callable[[], None],
        packets: PacketTap | None,
        clock: Callable[[], float],
    ) -> None:
        """Open it. Raises SourceError."""
        self._name = name
        self._read_timeout_s = timeouts[1]
        self._live = live
        self._tap = packets
        self._clock = clock
        self._container = open_container(target, name, options, timeouts)
        try:
            self.stream: VideoStream = pick_stream(self._container, name)
        except SourceError:
            self._container.close()
            raise
        start = self._container.start_time
        tick = self.stream.time_base or Fraction(1, av.time_base)
        self._start_s = 0.0 if live or start is None else start / av.time_base
        self._tick_s = float(tick)
        self._decoding = Decoding(self.stream, threads, name, on_undecodable, joined=live)
        self._rendering = Rendering(tick, name)
        self._own = OwnPackets(self.stream)
        self._packets: Iterator[Packet[VideoStream]] | None = None
        self._ready: deque[Decoded] = deque()
        self._over = False

    def next(self, wanted: Callable[[], bool]) -> Shot | None:
        """The next picture; None at the end, or once it is not `wanted` any more. Raises SourceError."""
        with self._decoding:
            since = self._clock()
            packets = 0
            while wanted() and not self._ready:
                if self._over:
                    return None
                self._take(self._demuxed())
                packets += 1
                self._give_up(packets, self._clock() - since)
            return self._shot(self._ready.popleft()) if wanted() else None

    def close(self) -> None:
        self._packets = None
        self._ready.clear()
        self._container.close()

    def _give_up(self, packets: int, waited_s: float) -> None:
        """Raise SourceError if nothing comes of what is read."""
        limit_s = self._read_timeout_s
        if self._ready:
            return
        if self._live and limit_s is not None and waited_s > limit_s:
            raise SourceError(f"{self._name}: no picture for {limit_s:g} s, though data came")
        if packets >= _MOST_WITHOUT_PICTURE:
            raise SourceError(f"{self._name}: no picture in {packets} packets")

    def _demuxed(self) -> Packet[VideoStream] | None:
        """The next packet; None at the end of the stream."""
        bad_reads = 0
        while True:
            if self._packets is None:
                self._packets = self._container.demux(self.stream)
            try:
                packet = next(self._packets)
            except StopIteration:
                return None
            except av.error.ExitError as error:
                raise SourceError(f"{self._name}: no picture for {self._read_timeout_s or 0:g} s") from error
            except av.error.InvalidDataError as error:  # the demuxer lost its way; it may find it again
                self._packets = None
                self._decoding.lost_track(reason(error))
                bad_reads += 1
                if bad_reads > _MOST_BAD_READS:
                    return None
            except av.error.FFmpegError as error:
                self._packets = None
                raise SourceError(f"{self._name}: reading failed: {reason(error)}") from error
            else:
                if (
                    packet.size
                ):  # a decoder takes an empty one for the end: AVI has them for pictures left out
                    return packet

    def _take(self, packet: Packet[VideoStream] | None) -> None:
        """Decode a packet, or what is left where there is none; the frames go to `_ready`."""
        if packet is not None and self._tap is not None:
            self._tap(encoded(packet, self.stream, self._start_s))
        found = self._decoding.decode(packet)
        for decoded in self._own.told(packet, found) if packet else found:
            self._ready.extend(self._rendering.whole(decoded))
        if packet is None:
            self._ready.extend(self._rendering.rest())
            self._over = True
            self._decoding.finish()

    def _shot(self, decoded: Decoded) -> Shot:
        pts = decoded.pts
        at = None if pts is None else round(pts * self._tick_s - self._start_s, 6)
        picture, changed = self._rendering.picture(decoded)
        own = None if changed else decoded.own
        return Shot(picture, decoded.number, at, damaged=decoded.damaged, own=own)
