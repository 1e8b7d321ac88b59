"""A video that comes over the network."""

from __future__ import annotations

from urllib.parse import urlsplit

import cv2

from edge.sources.live.capture import LiveCapture
from shared.errors import SourceError, suggest
from shared.observing.logs import mask_url

SCHEMES = ("rtsp", "rtsps", "http", "https")


class Stream(LiveCapture):
    """A video that comes over the network: RTSP (over TCP) or HTTP."""

    def __init__(self, url: str, *, open_timeout_s: float, read_timeout_s: float) -> None:
        """Raises SourceError if `url` is not that of a stream."""
        name = mask_url(url)
        scheme, _, _ = url.partition("://")
        if scheme.lower() not in SCHEMES:
            raise SourceError(f"{name}: {scheme}:// is no source; {suggest(scheme, SCHEMES)}")
        try:
            has_host = bool(urlsplit(url).hostname) and urlsplit(url).port != 0
        except ValueError:
            has_host = False
        if not has_host:
            raise SourceError(
                f"{name}: no such host or port; a stream is written {scheme}://user:password@host:port/path"
            )
        parameters = [
            *(cv2.CAP_PROP_OPEN_TIMEOUT_MSEC, round(open_timeout_s * 1000)),
            *(cv2.CAP_PROP_READ_TIMEOUT_MSEC, round(read_timeout_s * 1000)),
            # By default FFmpeg decodes with a thread for each core, and holds back a frame for each thread but one.
            *(cv2.CAP_PROP_N_THREADS, 1),
        ]
        super().__init__(
            name,
            url,
            cv2.CAP_FFMPEG,
            parameters,
            advice="check address, port, path, user and password, and that it is on",
            open_timeout_s=open_timeout_s,
            read_timeout_s=read_timeout_s,
        )
