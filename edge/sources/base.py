"""What a source of frames is. Packages may bring sources of their own, see edge/sources/registry.py."""

from __future__ import annotations

from typing import TYPE_CHECKING, Protocol, TypeAlias

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

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
