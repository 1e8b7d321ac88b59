"""A video in a file or on the network, opened and decoded by PyAV (FFmpeg)."""

from __future__ import annotations

import time
from threading import Lock
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

    from av.video.stream import VideoStream

    from edge.sources.base import Shot
    from edge.sources.video.packets import PacketTap
    from edge.sources.video.reading import Reading


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

        A live one is lost if it gives no picture for `read_timeout_s`, even though data comes; and nothing is missed of what came
        before its first picture.
        """
        self.name = name
        self._target = target
        self._options = dict(options or {})
        self._timeouts = (open_timeout_s, read_timeout_s)
        self._threads = threads
        self._live = live
        self._on_undecodable = on_undecodable
        self._packets = packets
        self._clock = clock
        self._using = Lock()
        self._wanted = False
        self._reading: Reading | None = None

    def open(self) -> None:
        """Connect and find the stream. Raises SourceError in one line, which holds nothing of the target."""
        from edge.sources.video.reading import Reading  # noqa: PLC0415 - PyAV takes long to load, and other sources do without

        with self._using:
            self._wanted = True
            self._release()
            self._reading = Reading(
                self._target,
                self.name,
                self._options,
                self._timeouts,
                threads=self._threads,
                live=self._live,
                on_undecodable=self._on_undecodable,
                packets=self._packets,
                clock=self._clock,
            )
        self._settle()

    def read(self) -> Shot | None:
        """The next picture; None at the end. Raises SourceError if reading fails, or if nothing could be decoded."""
        try:
            with self._using:
                return self._reading.next(lambda: self._wanted) if self._wanted and self._reading else None
        finally:
            self._settle()

    def close(self) -> None:
        """Let go of everything; a `read` that waits ends when FFmpeg returns."""
        self._wanted = False
        self._settle()

    @property
    def stream(self) -> VideoStream | None:
        """FFmpeg's stream while it is open; for the thread that reads."""
        return self._reading.stream if self._reading else None

    def _settle(self) -> None:
        """Let go if nobody wants it any more, unless another thread uses it, which then does."""
        while not self._wanted and self._reading is not None and self._using.acquire(blocking=False):
            try:
                self._release()
            finally:
                self._using.release()

    def _release(self) -> None:
        reading, self._reading = self._reading, None
        if reading is not None:
            reading.close()
