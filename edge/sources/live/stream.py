"""A video that comes over the network."""

from __future__ import annotations

from typing import TYPE_CHECKING

from edge.sources.live.address import read_address
from edge.sources.live.capture import LiveCapture
from edge.sources.live.video_feed import VideoFeed
from edge.sources.live.web.feed import WebFeed

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.sources.live.feed import Feed


class Stream(LiveCapture):
    """A video that comes over the network: RTSP (over TCP), HTTP, RTMP, or MPEG-TS over UDP or TCP; or a camera's snapshots."""

    def __init__(
        self,
        url: str,
        *,
        open_timeout_s: float,
        read_timeout_s: float,
        snapshot_fps: float = 1.0,
        on_undecodable: Callable[[], None] = lambda: None,
    ) -> None:
        """`snapshot_fps`: how often an address that gives one picture a request is asked. Raises SourceError if `url` is not that
        of a stream.
        """
        address = read_address(url)

        def feed(left_out: Callable[[], None]) -> Feed:
            if address.scheme in ("http", "https"):
                return WebFeed(
                    address,
                    open_timeout_s=open_timeout_s,
                    read_timeout_s=read_timeout_s,
                    snapshot_pause_s=1 / snapshot_fps,
                    on_undecodable=left_out,
                )
            return VideoFeed(
                address,
                open_timeout_s=open_timeout_s,
                read_timeout_s=read_timeout_s,
                on_undecodable=left_out,
            )

        super().__init__(
            address.name,
            feed,
            advice="check address, port, path, user and password, and that it is on",
            open_timeout_s=open_timeout_s,
            read_timeout_s=read_timeout_s,
            on_undecodable=on_undecodable,
        )
