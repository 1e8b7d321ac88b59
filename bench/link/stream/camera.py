"""A camera on the network: it sends a clip's own packets as MPEG-TS over HTTP, each at its time, to whoever asks."""

from __future__ import annotations

import contextlib
import threading
import time
from fractions import Fraction
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import TYPE_CHECKING, Any, Self

from bench.link.stream.clip import TICKS_PER_S

if TYPE_CHECKING:
    from bench.link.stream.clip import Clip

_PATIENCE_S = 10.0
_MUXER = {
    "mpegts_copyts": "1",  # else it adds to the times
    "fflags": "+flush_packets",
}


class LiveCamera:
    """Plays a clip to every connection from its first picture on; what is not read in time is not sent again."""

    def __init__(self, clip: Clip, fps: float) -> None:
        self._stopping = threading.Event()
        self._server = ThreadingHTTPServer(("127.0.0.1", 0), _handler(clip, fps, self._stopping))
        self._server.daemon_threads = True
        self._thread = threading.Thread(target=self._server.serve_forever, args=(0.05,), daemon=True)

    @property
    def url(self) -> str:
        """What the edge takes as its source."""
        return f"http://127.0.0.1:{self._server.server_address[1]}/clip.ts"

    def __enter__(self) -> Self:
        self._thread.start()
        return self

    def __exit__(self, *_: object) -> None:
        self._stopping.set()
        self._server.shutdown()
        self._server.server_close()
        self._thread.join(_PATIENCE_S)


def _handler(clip: Clip, fps: float, stopping: threading.Event) -> type[BaseHTTPRequestHandler]:
    class Handler(BaseHTTPRequestHandler):
        timeout = _PATIENCE_S

        def log_message(self, *arguments: Any) -> None:
            """Say nothing."""

        def do_GET(self) -> None:
            self.send_response(200)
            self.send_header("Content-Type", "video/mp2t")
            self.end_headers()
            with contextlib.suppress(OSError):  # the reader has left
                _play(clip, fps, self.wfile, stopping)

    return Handler


def _play(clip: Clip, fps: float, out: Any, stopping: threading.Event) -> None:
    import av

    with av.open(str(clip.path)) as own, contextlib.suppress(av.error.FFmpegError):
        # Not closed in order: its trailer would be written to a reader that has left.
        container = av.open(_Unbuffered(out), "w", format="mpegts", options=_MUXER)
        stream = container.add_stream_from_template(own.streams.video[0])
        start = time.monotonic()
        for packet, due_s in clip.stamped(fps):
            if stopping.wait(max(0.0, start + due_s - time.monotonic())):
                return
            packet.stream = stream
            packet.time_base = Fraction(1, TICKS_PER_S)
            container.mux(packet)


class _Unbuffered:
    """What the muxer writes to."""

    def __init__(self, out: Any) -> None:
        self._out = out

    def write(self, data: bytes) -> int:
        self._out.write(data)
        return len(data)
