"""The pictures of a folder, or a single one."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, cast

import cv2

from edge.sources.base import Shot
from edge.sources.files.readable import refuse_unreadable
from edge.sources.opencv import quiet_opencv
from shared.errors import SourceError

if TYPE_CHECKING:
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

_log = logging.getLogger(__name__)

PICTURES = {".jpg", ".jpeg", ".png", ".bmp", ".webp"}


class Pictures:
    """The pictures of a folder (not below it), sorted by name; or a single one.

    A picture that cannot be read is left out with a warning and counted in `skipped`.
    """

    live = False

    def __init__(self, path: Path) -> None:
        self.name = str(path)
        self.skipped = 0
        self._path = path
        self._left: list[Path] = []  # the next one last
        self._given = 0

    def open(self) -> None:
        """List the pictures. Raises SourceError if there are none."""
        quiet_opencv()
        refuse_unreadable(self._path)
        paths = list(self._path.iterdir()) if self._path.is_dir() else [self._path]
        self._left = sorted(
            (path for path in paths if path.suffix.lower() in PICTURES and not path.name.startswith(".")),
            reverse=True,
        )
        if not self._left:
            raise SourceError(
                f"{self.name}: no pictures in this folder; read are {', '.join(sorted(PICTURES))}"
            )
        self.skipped = self._given = 0

    def read(self) -> Shot | None:
        """The next picture; None at the end. Raises SourceError there if none could be read."""
        while self._left:
            path = self._left.pop()
            picture = _read_picture(path)
            if picture is not None:
                self._given += 1
                return Shot(picture, self._given + self.skipped - 1, file=path.name)
            self.skipped += 1
            _log.warning("%s: not a readable picture, left out", path)
        if self.skipped and not self._given:
            raise SourceError(f"{self.name}: none of its {self.skipped} pictures can be read")
        return None

    def close(self) -> None:
        self._left = []


def _read_picture(path: Path) -> NDArray[np.uint8] | None:
    try:
        # This turns pictures upright, and makes BGR of grey and alpha.
        return cast("NDArray[np.uint8] | None", cv2.imread(str(path), cv2.IMREAD_COLOR))
    except cv2.error:  # more pixels than OpenCV accepts
        return None
