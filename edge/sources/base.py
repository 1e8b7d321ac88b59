"""What a source of frames is, and what holds the sources of other packages to it (see edge/sources/registry.py)."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING, Any, Protocol, TypeAlias, TypeVar

import numpy as np

from shared.errors import SourceError, SplitDNNError

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from shared.codecs.video.passing import Own

_Result = TypeVar("_Result")

Picture: TypeAlias = "NDArray[np.uint8]"
"""One frame: (H, W, 3) uint8, C-contiguous, channels in the order blue, green, red, 0 … 255, the first row on top."""


@dataclass(frozen=True, slots=True)
class Shot:
    """One frame as its source gives it."""

    picture: Picture
    number: int
    """In the source, from 0. What could not be decoded, and what was left out, has a number as well, so there may be gaps."""
    media_time_s: float | None = None
    """When it was by the clock of the video or stream itself, in seconds; None where there is no such clock."""
    file: str | None = None
    """Name of its file where the source is a folder."""
    damaged: bool = False
    """Whether the decoder had to make up a part of it."""
    own: Own | None = None
    """What the camera has coded it as, where it is H.264 or H.265 and the picture is all of it and nothing else: neither turned nor scaled."""


class Source(Protocol):
    """Frames, one after another. A source is made closed; one thread opens and reads it.

    The edge changes no frame, and keeps it until it is answered, so a source must not write into an array that it has handed out.
    """

    live: bool
    """Whether frames come at a pace of their own, so that old ones may be dropped; otherwise every frame waits to be read.

    A live source may be lost: it is then closed and opened again, for as long as it takes.
    """
    name: str
    """For logs and people, on one line, without credentials."""

    def open(self) -> None:
        """Start, from the beginning if there is one. Raises SourceError, which says what is wrong and what to do."""

    def read(self) -> Shot | None:
        """The next frame, waited for; its size may change from frame to frame. None at the end.

        Raises SourceError if a live source is lost or stays silent, or if nothing of a recording could be read.
        """

    def close(self) -> None:
        """Let go of everything. May be called again, and before `open`.

        A live source takes this from any thread, and ends an `open` or a `read` that waits.
        """


class InstalledSource:
    """A source of another package: its every failure is a SourceError in one line, its every frame a picture.

    It gives arrays, which are counted from 0, or a Shot where it knows more.
    """

    def __init__(self, inner: Source) -> None:
        self.inner = inner
        self.live = bool(inner.live)
        self.name = " ".join(str(inner.name).split())
        self._given = 0

    def open(self) -> None:
        self._call("open", self.inner.open)

    def read(self) -> Shot | None:
        """The next frame. Raises SourceError, also for what is no (H, W, 3) uint8 array."""
        found = self._call("read", self.inner.read)
        if found is None:
            return None
        shot = found if isinstance(found, Shot) else Shot(found, self._given)
        self._given = shot.number + 1
        return replace(shot, picture=self._checked(shot.picture))

    def _checked(self, frame: Any) -> Picture:
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
