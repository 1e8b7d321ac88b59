"""What FFmpeg is told about a stream besides its address."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Mapping

_log = logging.getLogger(__name__)

VARIABLE = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
"""Kept from when OpenCV read the streams: `key;value|key;value`."""
# FFmpeg tries UDP first; over UDP it calls a datagram that was lost a broken picture. Cameras behind a router, and some others,
# have TCP only.
_DEFAULTS = {"rtsp": {"rtsp_transport": "tcp"}, "rtsps": {"rtsp_transport": "tcp"}}


def ffmpeg_options(scheme: str, environment: Mapping[str, str]) -> dict[str, str]:
    """FFmpeg's options for a stream of this scheme: ours, and over them the user's."""
    options = dict(_DEFAULTS.get(scheme, {}))
    for item in environment.get(VARIABLE, "").split("|"):
        key, separator, value = (each.strip() for each in item.partition(";"))
        if key and separator:
            options[key] = value
        elif item.strip():
            _log.warning("%s: %.60r is left out; accepted: key;value|key;value", VARIABLE, item)
    return options
