"""What FFmpeg is told about a stream besides its address."""

from __future__ import annotations

import logging

_log = logging.getLogger(__name__)

_VARIABLE = "OPENCV_FFMPEG_CAPTURE_OPTIONS"
# FFmpeg tries UDP first; over UDP it calls a datagram that was lost a broken picture. Cameras behind a router, and some others,
# have TCP only.
_DEFAULTS = {"rtsp": {"rtsp_transport": "tcp"}, "rtsps": {"rtsp_transport": "tcp"}}


def ffmpeg_options(scheme: str, given: str) -> dict[str, str]:
    """FFmpeg's options for a stream of this scheme: ours, and over them the user's, `key;value|key;value`."""
    options = dict(_DEFAULTS.get(scheme, {}))
    for item in given.split("|"):
        key, separator, value = (each.strip() for each in item.partition(";"))
        if key and separator:
            options[key] = value
        elif item.strip():
            _log.warning("%s: %.60r is left out; accepted: key;value|key;value", _VARIABLE, item)
    return options
