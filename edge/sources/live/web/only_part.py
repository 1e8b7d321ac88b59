"""A camera that gives one picture a request, and wraps it as if more of them followed."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.sources.live.web.multipart import Multipart

if TYPE_CHECKING:
    from edge.sources.live.web.client import Head, Web


class OnlyPart:
    """Answers of which each has a picture in the only one of its parts, read as if that were the answer."""

    def __init__(self, web: Web, name: str) -> None:
        self._web = web
        self._name = name
        self._boundary = ""

    def get(self) -> Head:
        """As Web.get."""
        head = self._web.get()
        self._boundary = head.boundary
        return head

    def body(self, limit: int) -> bytes:
        """The picture; empty if there is none. Raises SourceError as Web.body does."""
        multipart = Multipart(self._boundary, name=self._name, max_part_bytes=limit)
        parts = [*multipart.feed(self._web.body(limit)), multipart.rest()]
        return next((each.body for each in parts if each and each.may_be_picture), b"")
