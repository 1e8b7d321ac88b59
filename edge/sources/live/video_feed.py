"""A stream that FFmpeg reads."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

from edge.sources.live.options import ffmpeg_options
from edge.sources.video.container import Video
from edge.sources.video.failures import reason
from shared.errors import SourceError
from shared.process.settings import opencv_capture_options

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.sources.base import Shot
    from edge.sources.live.address import Address

_ASK_AGAIN_S = 1.0


class VideoFeed:
    """The pictures of a stream, as late as it sends them and no later."""

    pause_s = 0.0

    def __init__(
        self,
        address: Address,
        *,
        open_timeout_s: float,
        read_timeout_s: float,
        on_undecodable: Callable[[], None],
    ) -> None:
        self._address = address
        self._open_timeout_s = open_timeout_s
        self._gives = False
        self._video = Video(
            address.url,
            name=address.name,
            options=ffmpeg_options(address.scheme, opencv_capture_options()),
            open_timeout_s=open_timeout_s,
            read_timeout_s=read_timeout_s,
            threads=1,
            live=True,
            on_undecodable=on_undecodable,
        )

    def open(self) -> None:
        """Connect. Raises SourceError, which says how far that went."""
        import av  # noqa: PLC0415 - a source of files does without

        try:
            self._video.open()
        except SourceError as error:
            why, said = error.__cause__, str(error)
            if isinstance(why, av.error.FFmpegError) and not isinstance(why, av.error.ExitError):
                said = f"{self._address.name}: cannot be opened: {reason(why)}"
            raise SourceError(f"{said}{self._how_far(why)}{self._address.hint}") from error

    def read(self) -> Shot | None:
        """The next picture. Raises SourceError, which says whether there ever was one."""
        try:
            shot = self._video.read()
        except SourceError as error:
            if self._gives:
                raise
            raise SourceError(f"{error}; it can be opened, but has sent none yet") from error
        self._gives = True
        return shot

    def close(self) -> None:
        self._video.close()

    def interrupt(self) -> None:
        """Nothing more is read; what waits ends with FFmpeg's own time limit."""
        self._video.close()

    def _how_far(self, why: BaseException | None) -> str:
        """What FFmpeg leaves open: it says the same of a host that is not there and of one that says nothing."""
        import av  # noqa: PLC0415 - it has just been imported

        unclear = isinstance(why, (av.error.ExitError, av.error.InvalidDataError, OSError))
        if not unclear or isinstance(why, ConnectionError) or self._address.scheme == "udp":
            return ""
        where = (self._address.host, self._address.port)
        try:
            with socket.create_connection(where, min(_ASK_AGAIN_S, self._open_timeout_s)):
                return "; it can be connected to, but sends no video"
        except socket.gaierror:
            return "; there is no such host"
        except TimeoutError:
            return "; it cannot be reached"
        except OSError as found:
            return f"; {os.strerror(found.errno or 0)}"
