"""A source of another package, held to what edge/sources/base.py says, whatever the package does."""

from __future__ import annotations

from typing import TYPE_CHECKING, TypeVar

import numpy as np

from shared.errors import SourceError, SplitDNNError

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.sources.base import Picture, Source

_Result = TypeVar("_Result")


class InstalledSource:
    """`inner`, whose every failure is a SourceError in one line and whose every frame is a picture."""

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
