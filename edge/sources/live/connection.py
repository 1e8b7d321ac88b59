"""A capture in a thread of its own, which hands frames over one at a time."""

from __future__ import annotations

from threading import Condition, Thread
from typing import TYPE_CHECKING

from edge.sources.opencv import open_capture, read_frame

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

_RELEASE_S = 0.5  # a webcam that is not released yet cannot be opened again


class Connection(Thread):
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
