"""What a source of frames is, and what holds the sources of other packages to it (see edge/sources/registry.py)."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias, TypeVar

import numpy as np

from shared.errors import SourceError, SplitDNNError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

_Result = TypeVar("_Result")

Picture: TypeAlias = "NDArray[np.uint8]"
"""One frame: (H, W, 3) uint8, C-contiguous, channels in the order blue, green, red, 0 … 255, the first row on top."""


class Source(Protocol):
    """Frames, one after another. A source is made closed; one thread opens and reads it.

    Frames are counted from 0 as they are read. The edge changes no frame, and keeps it until it is answered, so a source
    must not write into an array that it has handed out.
    """

    live: bool
    """Whether frames come at a pace of their own, so that old ones may be dropped; otherwise every frame waits to be read.

    A live source may be lost: it is then closed and opened again, for as long as it takes.
    """
    name: str
    """For logs and people, on one line, without credentials."""

    def open(self) -> None:
        """Start, from the beginning if there is one. Raises SourceError, which says what is wrong and what to do."""

    def read(self) -> Picture | None:
        """The next frame, (H, W, 3) uint8 BGR, waited for; its size may change from frame to frame. None at the end.

        Raises SourceError if a live source is lost or stays silent, or if nothing of a recording could be read.
        """

    def close(self) -> None:
        """Let go of everything. May be called again, and before `open`.

        A live source takes this from any thread, and ends an `open` or a `read` that waits.
        """


class InstalledSource:
    """A source of another package: its every failure is a SourceError in one line, its every frame a picture."""

    def __init__(self, inner: Source) -> None:
        self.inner = inner
        self.live = bool(inner.live)
        self.name = " ".join(str(inner.name).split())

    def open(self) -> None:
        self._call("open", self.inner.open)

    def read(self) -> Picture | None:
        """The next frame. Raises SourceError, also for what is no (H, W, 3) uint8 array."""
        frame = self._call("read", self.inner.read)
        if frame is None:
            return None
        picture_like = isinstance(frame, np.ndarray) and frame.dtype == np.uint8 and frame.ndim == 3
        if not picture_like or frame.shape[2] != 3 or not frame.size:
            found = f"{frame.shape} {frame.dtype}" if isinstance(frame, np.ndarray) else type(frame).__name__
            raise SourceError(f"{self.name}: it gave {found}; a frame is an array (H, W, 3) uint8")
        return np.ascontiguousarray(frame)

    def close(self) -> None:
        self._call("close", self.inner.close)

    def _call(self, what: str, method: Callable[[], _Result]) -> _Result:
        try:
            return method()
        except SplitDNNError:
            raise
        except (Exception, SystemExit) as error:  # it is somebody else's code
            reason = " ".join(f"{type(error).__name__}: {error}".split())
            raise SourceError(f"{self.name}: {what} failed: {reason}") from error
