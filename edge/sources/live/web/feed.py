"""What an `http://` URL gives, which only its answer tells."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

from edge.sources.live.video_feed import VideoFeed
from edge.sources.live.web.client import NotHttpError, Web
from edge.sources.live.web.motion_pictures import MotionPictures
from edge.sources.live.web.only_part import OnlyPart
from edge.sources.live.web.snapshots import Snapshots
from edge.sources.live.web.stills import MAX_STILL_BYTES
from edge.sources.pictures.reading import known
from shared.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.sources.base import Shot
    from edge.sources.live.address import Address
    from edge.sources.live.web.client import Head

_log = logging.getLogger(__name__)

_ANOTHER_JPEG = b"\xff\xd9\xff\xd8"
"""The end of one, and the beginning of the next."""
_PAGES = frozenset({"text/html", "application/xhtml+xml", "application/json", "text/xml", "application/xml"})


class WebFeed:
    """One picture a request, pictures one after another in one answer, or a video, which FFmpeg asks for once more."""

    def __init__(
        self,
        address: Address,
        *,
        open_timeout_s: float,
        read_timeout_s: float,
        snapshot_pause_s: float,
        on_undecodable: Callable[[], None],
    ) -> None:
        self._snapshot_pause_s = snapshot_pause_s
        self._address = address
        self._read_timeout_s = read_timeout_s
        self._on_undecodable = on_undecodable
        self._web = Web(address, open_timeout_s=open_timeout_s, read_timeout_s=read_timeout_s)
        self._video = VideoFeed(
            address,
            open_timeout_s=open_timeout_s,
            read_timeout_s=read_timeout_s,
            on_undecodable=on_undecodable,
        )
        self._pictures: MotionPictures | Snapshots | None = None
        self._interrupted = False

    @property
    def pause_s(self) -> float:
        return (self._pictures or self._video).pause_s

    def open(self) -> None:
        """Ask, and look at the answer. Raises SourceError."""
        name = self._address.name
        try:
            head = self._web.get()
        except NotHttpError:
            self._web.close()
            self._video.open()
            return
        kind = head.content_type
        if kind.startswith("multipart/"):
            self._pictures = MotionPictures(
                self._web, head.boundary, name, on_undecodable=self._on_undecodable
            )
        elif kind.startswith("image/") or self._is_picture(head):
            self._pictures = self._snapshots(self._web)
        elif kind in _PAGES:
            raise SourceError(
                f"{name}: it answers with a page ({kind}), neither a picture nor a video; check the path, "
                "and whether one must log in there"
            )
        else:
            self._web.close()
            self._video.open()

    def read(self) -> Shot | None:
        shot = (self._pictures or self._video).read()
        if shot is None and isinstance(self._pictures, MotionPictures) and self._pictures.was_one:
            self._pictures = self._snapshots(OnlyPart(self._web, self._address.name), given=1)
            if self._interrupted:
                self._pictures.interrupt()
            return self._pictures.read()
        return shot

    def close(self) -> None:
        self._web.close()
        self._video.close()

    def interrupt(self) -> None:
        self._interrupted = True
        self._web.interrupt()
        self._video.interrupt()
        if (pictures := self._pictures) is not None:
            pictures.interrupt()

    def _is_picture(self, head: Head) -> bool:
        """Whether the answer is one picture, whatever it is said to be. One of unknown length may be pictures without an end."""
        if (
            head.content_type.startswith(("video/", "audio/"))
            or head.length == 0
            or not known(self._web.peek())
        ):
            return False
        return head.length is not None or self._web.peek_whole(MAX_STILL_BYTES, until=_ANOTHER_JPEG)

    def _snapshots(self, web: Web | OnlyPart, *, given: int = 0) -> Snapshots:
        name, pause_s = self._address.name, self._snapshot_pause_s
        _log.info("%s gives one picture a request; it is asked for one each %g s", name, pause_s)
        return Snapshots(
            web,
            name,
            pause_s=pause_s,
            patience_s=self._read_timeout_s,
            on_undecodable=self._on_undecodable,
            given=given,
        )
