"""Single pictures as cameras send them, decoded."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, cast

from edge.sources.pictures.depth import Depth
from edge.sources.pictures.reading import frames_of
from edge.sources.pictures.unreadable import MAX_PIXELS, UnreadableError

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.sources.base import Picture
    from edge.sources.pictures.strict import StrictDecoder

_log = logging.getLogger(__name__)

MAX_STILL_BYTES = 64 << 20
_PLAIN = frozenset({"gray", "yuvj420p", "yuvj422p", "yuvj440p", "yuvj444p"})
"""As FFmpeg calls the pixels of a JPEG that needs nothing but decoding."""


class Stills:
    """The pictures of one camera, one after another. One that is cut off or damaged is left out: counted, and said once a run."""

    def __init__(self, name: str, on_undecodable: Callable[[], None]) -> None:
        self._name = name
        self._on_undecodable = on_undecodable
        self._depth = Depth()
        self._decoder: StrictDecoder | None = None
        self._said = False

    def decoded(self, data: bytes) -> Picture | None:
        """The picture in `data`, (H, W, 3) uint8 BGR, as a file of these bytes would be read; None if it is left out."""
        try:
            picture = self._plain(data)
            if picture is None:
                picture, _ = next(frames_of(data, self._depth, self._name), (None, None))
        except UnreadableError as error:
            self._on_undecodable()
            if not self._said:
                _log.warning("%s: a picture is left out, %s", self._name, error)
            self._said = True
            return None
        self._said = False
        return picture

    def _plain(self, data: bytes) -> Picture | None:
        """A JPEG as most cameras send it, at a third of the cost; None for any other, and for what seems to be damaged.

        FFmpeg's decoder looks for damage while it decodes. It neither misses restart intervals nor turns the picture.
        """
        head = data[: data.find(b"\xff\xda")]
        if not data.startswith(b"\xff\xd8\xff") or b"\xff\xdd" in head or b"Exif\0" in head:
            return None
        import av  # noqa: PLC0415 - most sources do without

        from edge.sources.pictures.strict import StrictDecoder  # noqa: PLC0415 - the same

        self._decoder = self._decoder or StrictDecoder(max_pixels=str(MAX_PIXELS))
        try:
            frames = self._decoder.decode(data)
        except av.error.FFmpegError:
            self._decoder = None
            return None
        if len(frames) != 1 or frames[0].is_corrupt or frames[0].format.name not in _PLAIN:
            self._decoder = None
            return None
        return cast("Picture", frames[0].to_ndarray(format="bgr24"))
