"""Sources with a pace of their own: webcams and streams. They may hang, vanish and come back."""

from __future__ import annotations

import os
from pathlib import Path
from threading import Condition, Thread
from typing import TYPE_CHECKING
from urllib.parse import urlsplit

import cv2

from edge.sources.recordings import open_capture, read_frame
from shared.errors import SourceError, suggest
from shared.observing.logs import mask_url

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

SCHEMES = ("rtsp", "rtsps", "http", "https")
MARGIN_S = 2.0  # longer than OpenCV's own time limit, which some of its backends do not have
_RELEASE_S = 0.5  # a webcam that is not released yet cannot be opened again
_MAX_STUCK = 4


class LiveCapture:
    """A capture in a thread of its own, which is abandoned if it hangs. It never ends except by SourceError.

    `close` may be called from any thread, and ends an `open` or a `read` that waits.
    """

    live = True

    def __init__(
        self,
        name: str,
        target: str,
        backend: int,
        parameters: list[int],
        *,
        advice: str,
        open_timeout_s: float,
        read_timeout_s: float,
    ) -> None:
        self.name = name
        self._target = target
        self._backend = backend
        self._parameters = parameters
        self._advice = advice
        self._open_timeout_s = open_timeout_s
        self._read_timeout_s = read_timeout_s
        self._connection: _Connection | None = None
        self._stuck: list[_Connection] = []
        self._first: NDArray[np.uint8] | None = None

    def open(self) -> None:
        """Connect and wait for the first frame: some cameras that are off can be opened all the same.

        Raises SourceError after closing everything.
        """
        self.close()
        self._stuck = [connection for connection in self._stuck if connection.is_alive()]
        if len(self._stuck) >= _MAX_STUCK:
            raise SourceError(f"{self.name}: {_MAX_STUCK} earlier connections still hang; restart the edge")
        self._connection = connection = _Connection(self._target, self._backend, self._parameters)
        timeout_s = self._open_timeout_s + self._read_timeout_s
        try:
            self._first = connection.take(timeout_s + MARGIN_S)
        except TimeoutError:
            self.close()
            raise SourceError(f"{self.name}: no picture within {timeout_s:g} s; {self._advice}") from None
        if self._first is None:
            self.close()
            raise SourceError(f"{self.name}: cannot be opened, or gives no picture; {self._advice}")

    def read(self) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 BGR, as soon as there is one. Raises SourceError if none comes or the stream ends."""
        if self._first is not None:
            picture, self._first = self._first, None
            return picture
        connection = self._connection
        if connection is None:
            raise SourceError(f"{self.name}: is closed")
        try:
            frame = connection.take(self._read_timeout_s + MARGIN_S)
        except TimeoutError:
            raise SourceError(f"{self.name}: no picture for {self._read_timeout_s:g} s") from None
        if frame is None:
            raise SourceError(f"{self.name}: no more pictures: it ended, was lost or fell silent")
        return frame

    def close(self) -> None:
        connection, self._connection = self._connection, None
        self._first = None
        if connection is not None and not connection.close():
            self._stuck.append(connection)


class Webcam(LiveCapture):
    """A camera of this machine, by number or by device."""

    def __init__(self, spec: str, *, open_timeout_s: float, read_timeout_s: float) -> None:
        device = f"/dev/video{spec}" if spec.isdigit() else spec
        super().__init__(
            device,
            device,
            cv2.CAP_V4L2,
            [],  # V4L2 has no time limits to set
            advice="is it a camera, and not in use by another program?",
            open_timeout_s=open_timeout_s,
            read_timeout_s=read_timeout_s,
        )

    def open(self) -> None:
        """Check that the device exists and may be used, then open it as LiveCapture does."""
        device = Path(self.name)
        if not device.exists():
            present = ", ".join(sorted(map(str, Path("/dev").glob("video*")))) or "none"
            raise SourceError(
                f"no camera {self.name}; here: {present} (a container must be given the device)"
            )
        if not os.access(device, os.R_OK | os.W_OK):
            group = device.stat().st_gid
            raise SourceError(
                f"{self.name}: user {os.getuid()} may not use it; join group {group} "
                f"(in Docker: `--group-add {group}` or `group_add`)"
            )
        super().open()


class Stream(LiveCapture):
    """A video that comes over the network: RTSP (over TCP) or HTTP."""

    def __init__(self, url: str, *, open_timeout_s: float, read_timeout_s: float) -> None:
        """Raises SourceError if `url` is not that of a stream."""
        name = mask_url(url)
        scheme, _, _ = url.partition("://")
        if scheme.lower() not in SCHEMES:
            raise SourceError(f"{name}: {scheme}:// is no source; {suggest(scheme, SCHEMES)}")
        try:
            has_host = bool(urlsplit(url).hostname) and urlsplit(url).port != 0
        except ValueError:
            has_host = False
        if not has_host:
            raise SourceError(
                f"{name}: no such host or port; a stream is written {scheme}://user:password@host:port/path"
            )
        parameters = [
            *(cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, round(open_timeout_s * 1000)),
            *(cv2.CAP_PROP_READ_TIMEOUT_MSEC, round(read_timeout_s * 1000)),
            # By default FFmpeg decodes with a thread for each core, and holds back a frame for each thread but one.
            *(cv2.CAP_PROP_N_THREADS, 1),
        ]
        super().__init__(
            name,
            url,
            cv2.CAP_FFMPEG,
            parameters,
            advice="check address, port, path, user and password, and that it is on",
            open_timeout_s=open_timeout_s,
            read_timeout_s=read_timeout_s,
        )


class _Connection(Thread):
    """Opens a capture and hands its frames over, one at a time. No other thread touches the capture."""

    def __init__(self, target: str, backend: int, parameters: list[int]) -> None:
        super().__init__(name="source", daemon=True)  # one that hangs does not keep the process alive
        self._arguments = (target, backend, parameters)
        self._changed = Condition()
        self._frame: NDArray[np.uint8] | None = None
        self._over = False
        self.start()

    def run(self) -> None:
        try:
            capture = open_capture(*self._arguments)
            while (frame := read_frame(capture)) is not None and self._hand_over(frame):
                pass
            capture.release()
        finally:
            self._finish()

    def take(self, timeout_s: float) -> NDArray[np.uint8] | None:
        """The next frame; None if there will be none. Raises TimeoutError."""
        with self._changed:
            if not self._changed.wait_for(lambda: self._frame is not None or self._over, timeout_s):
                raise TimeoutError
            frame, self._frame = self._frame, None
            self._changed.notify_all()
            return frame

    def close(self) -> bool:
        """End the thread as soon as OpenCV returns; whether it has ended already."""
        self._finish()
        self.join(_RELEASE_S)
        return not self.is_alive()

    def _hand_over(self, frame: NDArray[np.uint8]) -> bool:
        """Wait until `frame` was taken; False if no more are wanted."""
        with self._changed:
            if self._over:
                return False
            self._frame = frame
            self._changed.notify_all()
            self._changed.wait_for(lambda: self._frame is None or self._over)
            return not self._over

    def _finish(self) -> None:
        with self._changed:
            self._over = True
            self._changed.notify_all()
