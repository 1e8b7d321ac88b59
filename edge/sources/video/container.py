"""A video in a file or on the network, opened and decoded by PyAV (FFmpeg)."""

from __future__ import annotations

import time
from collections import deque
from threading import Lock
from typing import TYPE_CHECKING

from edge.sources.base import Shot
from edge.sources.video.decoding import Decoding
from edge.sources.video.opening import open_container, pick_stream, reason
from edge.sources.video.packets import encoded
from edge.sources.video.rendering import Rendering
from shared.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Mapping

    from av.container import InputContainer
    from av.packet import Packet
    from av.video.stream import VideoStream

    from edge.sources.video.decoding import Decoded
    from edge.sources.video.packets import PacketTap

_MOST_WITHOUT_PICTURE = 10_000  # packets; a file that has given none by then gives none
_MOST_BAD_READS = 64  # in a row; then a file is over


def nothing() -> None:
    """What happens by default when a picture cannot be decoded."""


class Video:
    """The pictures of one video stream, as a player shows them, in the order in which it shows them.

    What cannot be decoded is skipped and told to `on_undecodable`; its number is left out. `open`, `read` and what they call run
    in one thread at a time; `close` may come from any, and takes effect when FFmpeg returns, at the latest after the time limit.
    """

    def __init__(
        self,
        target: str,
        *,
        name: str,
        options: Mapping[str, str] | None = None,
        open_timeout_s: float | None = None,
        read_timeout_s: float | None = None,
        threads: int = 1,
        live: bool = False,
        on_undecodable: Callable[[], None] = nothing,
        packets: PacketTap | None = None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`target`: a path or URL as FFmpeg takes it. `name`: what messages call it. `options`: FFmpeg's own, for its protocol,
        demuxer and decoder. `packets` is given every packet of the stream beside the pictures.

        A live one is lost if it gives no picture for `read_timeout_s`, even though data comes.
        """
        self.name = name
        self._target = target
        self._options = dict(options or {})
        self._timeouts = (open_timeout_s, read_timeout_s)
        self._threads = threads
        self._live = live
        self._on_undecodable = on_undecodable
        self._tap = packets
        self._clock = clock
        self._using = Lock()
        self._wanted = False
        self._container: InputContainer | None = None
        self._stream: VideoStream | None = None
        self._ready: deque[Decoded] = deque()

    def open(self) -> None:
        """Connect and find the stream. Raises SourceError in one line, which holds nothing of the target."""
        with self._using:
            self._wanted = True
            self._release()
            self._container = open_container(self._target, self.name, self._options, self._timeouts)
            try:
                self._stream = pick_stream(self._container, self.name)
            except SourceError:
                self._release()
                raise
            start = self._container.start_time
            self._start_s = 0.0 if self._live or start is None else start / 1e6
            self._tick_s = float(self._stream.time_base)
            self._decoding = Decoding(
                self._stream, self._threads, self.name, self._on_undecodable, joined=self._live
            )
            self._rendering = Rendering(self._stream.time_base, self.name)
            self._packets: Iterator[Packet] | None = self._container.demux(self._stream)
            self._over = False
        self._settle()

    def read(self) -> Shot | None:
        """The next picture; None at the end. Raises SourceError if reading fails, or if nothing could be decoded."""
        try:
            with self._using:
                return self._next()
        finally:
            self._settle()

    def close(self) -> None:
        """Let go of everything; a `read` that waits ends when FFmpeg returns."""
        self._wanted = False
        self._settle()

    @property
    def stream(self) -> VideoStream | None:
        """FFmpeg's stream while it is open; for the thread that reads."""
        return self._stream

    def _settle(self) -> None:
        while not self._wanted and self._container is not None and self._using.acquire(blocking=False):
            try:
                self._release()
            finally:
                self._using.release()

    def _release(self) -> None:
        container, self._container, self._stream = self._container, None, None
        if container is not None:
            self._packets = None
            self._ready.clear()
            container.close()

    def _next(self) -> Shot | None:
        if self._container is None:
            return None
        with self._decoding:
            since = self._clock()
            packets = 0
            while self._wanted and self._container is not None and not self._ready:
                if self._over:
                    return None
                self._take(self._demuxed())
                packets += 1
                self._give_up(packets, self._clock() - since)
            return self._shot(self._ready.popleft()) if self._ready else None

    def _give_up(self, packets: int, waited_s: float) -> None:
        """Raise SourceError if nothing comes of what is read."""
        limit_s = self._timeouts[1]
        if self._ready:
            return
        if self._live and limit_s is not None and waited_s > limit_s:
            raise SourceError(f"{self.name}: no picture for {limit_s:g} s, though data came")
        if packets >= _MOST_WITHOUT_PICTURE:
            raise SourceError(f"{self.name}: no picture in {packets} packets")

    def _demuxed(self) -> Packet | None:
        """The next packet; None at the end of the stream."""
        import av

        bad_reads = 0
        while self._container is not None:
            if self._packets is None:
                self._packets = self._container.demux(self._stream)
            try:
                packet = next(self._packets)
            except StopIteration:
                return None
            except av.error.ExitError as error:
                raise SourceError(f"{self.name}: no picture for {self._timeouts[1] or 0:g} s") from error
            except av.error.InvalidDataError as error:  # the demuxer lost its way; it may find it again
                self._packets = None
                self._decoding.lost_track(reason(error))
                bad_reads += 1
                if bad_reads > _MOST_BAD_READS:
                    return None
            except av.error.FFmpegError as error:
                self._packets = None
                raise SourceError(f"{self.name}: reading failed: {reason(error)}") from error
            else:
                if (
                    packet.size
                ):  # a decoder takes an empty one for the end: AVI has them for pictures left out
                    return packet
        return None

    def _take(self, packet: Packet | None) -> None:
        """Decode a packet, or what is left where there is none; the frames go to `_ready`."""
        if packet is not None and self._tap is not None and self._stream is not None:
            self._tap(encoded(packet, self._stream, self._start_s))
        for decoded in self._decoding.decode(packet):
            self._ready.extend(self._rendering.whole(decoded))
        if packet is None:
            self._ready.extend(self._rendering.rest())
            self._over = True
            self._decoding.finish()

    def _shot(self, decoded: Decoded) -> Shot:
        pts = decoded.pts
        at = None if pts is None else round(pts * self._tick_s - self._start_s, 6)
        return Shot(self._rendering.picture(decoded), decoded.number, at, damaged=decoded.damaged)
