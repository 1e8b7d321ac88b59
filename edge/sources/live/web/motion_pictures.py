"""A camera that gives its pictures one after another in one answer (`multipart/x-mixed-replace`, also called MJPEG)."""

from __future__ import annotations

from collections import deque
from dataclasses import replace
from typing import TYPE_CHECKING

from edge.sources.base import Shot
from edge.sources.live.web.multipart import Multipart
from edge.sources.live.web.stills import MAX_STILL_BYTES, Stills

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.sources.live.web.client import Web
    from edge.sources.live.web.multipart import Part

_END_OF_JPEG = b"\xff\xd9"
_JOINT = b"\xff\xd9\xff\xd8\xff"
"""The end of a JPEG, and the beginning of another one."""
_SEVERAL_ARE_ONE = b"MPF\0"
"""What a JPEG holds with whose picture others belong, as its preview or the other eye's."""


class MotionPictures:
    """The pictures of one answer. One that cannot be decoded costs itself only; parts that are no pictures are passed over."""

    pause_s = 0.0

    def __init__(self, web: Web, boundary: str, name: str, *, on_undecodable: Callable[[], None]) -> None:
        """`web` has just been asked, and has the head of the answer."""
        self._web = web
        self._multipart = Multipart(boundary, name=name, max_part_bytes=MAX_STILL_BYTES)
        self._stills = Stills(name, on_undecodable)
        self._parts: deque[Part] = deque()
        self._number = 0
        self._over = False

    def read(self) -> Shot | None:
        """The next picture; None at the end of the answer. Raises SourceError."""
        while True:
            while not self._parts:
                if self._over:
                    return None
                self._take_in()
            part = self._parts.popleft()
            if not part.may_be_picture:
                continue
            self._number += 1
            picture = self._stills.decoded(part.body)
            if picture is not None:
                return Shot(picture, self._number - 1)

    @property
    def was_one(self) -> bool:
        """Whether the answer is over, and held a single picture."""
        return self._over and self._number == 1

    def _take_in(self) -> None:
        if piece := b"" if self._multipart.ended else self._web.piece():
            for part in self._multipart.feed(piece):
                self._parts.extend(_single(part))
            return
        self._over = True
        last = self._multipart.rest()
        # Most answers end in the middle of a picture, which then is nobody's fault.
        if last and last.body.rstrip(b"\r\n").endswith(_END_OF_JPEG):
            self._parts.append(last)

    def interrupt(self) -> None:
        """Nothing: what waits is the request."""


def _single(part: Part) -> list[Part]:
    """The part as many as it holds pictures: some cameras send several that have come meanwhile in one."""
    body = part.body
    if _JOINT not in body or _SEVERAL_ARE_ONE in body:
        return [part]
    end = len(_END_OF_JPEG)
    pieces = body.split(_JOINT)
    last = len(pieces) - 1
    return [
        replace(part, body=(_JOINT[end:] if place else b"") + piece + (_END_OF_JPEG if place < last else b""))
        for place, piece in enumerate(pieces)
    ]
