"""A stream that FFmpeg reads."""

from __future__ import annotations

import os
import socket
from typing import TYPE_CHECKING

from edge.sources.live.options import ffmpeg_options
from edge.sources.video.container import Video
from shared.errors import SourceError
from shared.settings import opencv_capture_options

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
        self._read_timeout_s = read_timeout_s
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
        try:
            self._video.open()
        except SourceError as error:
            raise SourceError(f"{error}{self._how_far(error)}{self._address.hint}") from error

    def read(self) -> Shot | None:
        import av  # noqa: PLC0415 - it has been imported

        try:
            shot = self._video.read()
        except SourceError as error:
            if not isinstance(error.__cause__ or error.__context__, av.error.ExitError):
                raise
            found = "" if self._gives else "it can be opened, but sends "
            raise SourceError(
                f"{self._address.name}: {found}no picture for {self._read_timeout_s:g} s"
            ) from error
        self._gives = True
        return shot

    def close(self) -> None:
        self._video.close()

    def interrupt(self) -> None:
        """Nothing more is read; what waits ends with FFmpeg's own time limit."""
        self._video.close()

    def _how_far(self, error: SourceError) -> str:
        """What FFmpeg leaves open: it says the same of a host that is not there and of one that says nothing."""
        import av  # noqa: PLC0415 - it has just been imported

        why, address = error.__cause__ or error.__context__, self._address
        if not isinstance(why, (av.error.ExitError, av.error.InvalidDataError, OSError)) or not address.port:
            return ""
        if isinstance(why, ConnectionError) or address.scheme == "udp":
            return ""
        try:
            with socket.create_connection(
                (address.host, address.port), min(_ASK_AGAIN_S, self._open_timeout_s)
            ):
                return "; it can be connected to, but sends no video"
        except socket.gaierror:
            return "; there is no such host"
        except TimeoutError:
            return "; it cannot be reached"
        except OSError as found:
            return f"; {os.strerror(found.errno or 0)}"
