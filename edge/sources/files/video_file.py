"""A video in a file, every picture of it."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

import cv2

from edge.sources.files.readable import refuse_unreadable
from edge.sources.video.completeness import cut_off, unreadable
from edge.sources.video.container import Video, nothing
from shared.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge.sources.base import Shot
    from edge.sources.video.packets import PacketTap

_log = logging.getLogger(__name__)


class VideoFile:
    """A video as a player shows it; what cannot be decoded is left out, told to `on_undecodable`, and has a number all the same."""

    live = False

    def __init__(
        self,
        path: Path,
        on_undecodable: Callable[[], None] = nothing,
        *,
        alone: bool = True,
        packets: PacketTap | None = None,
    ) -> None:
        """`alone`: no other video is decoded beside this one. What FFmpeg's own threads complain about could be of either."""
        self.name = str(path)
        self._path = path
        # An absolute path, because FFmpeg takes anything before a colon for a protocol. As many threads as the container has
        # cores: FFmpeg would count those of the host.
        self._video = Video(
            str(path.absolute()),
            name=self.name,
            threads=cv2.getNumThreads() if alone else 1,
            on_undecodable=on_undecodable,
            packets=packets,
        )
        self._first: Shot | None = None
        self._given = 0
        self._over = True

    def open(self) -> None:
        """Read the first picture ahead, so that a file without any is an error now. Raises SourceError."""
        self.close()
        refuse_unreadable(self._path)
        try:
            self._video.open()
            self._first = self._video.read()
        except SourceError as error:
            self.close()
            if why := unreadable(self._path):
                raise SourceError(f"{self.name}: not a video that can be read: {why}") from error
            raise
        self._given = 0
        self._over = False

    def read(self) -> Shot | None:
        """The next picture; None at the end."""
        if self._over:
            return None
        shot, self._first = self._first or self._video.read(), None
        if shot is None:
            self._over = True
            self._warn_if_cut_off()
            return None
        self._given += 1
        return shot

    def close(self) -> None:
        self._video.close()
        self._first = None
        self._over = True

    def _warn_if_cut_off(self) -> None:
        if missing := cut_off(self._path):
            _log.warning(
                "%s: %d pictures could be read, and no more: it is truncated, %s",
                self.name,
                self._given,
                missing,
            )
