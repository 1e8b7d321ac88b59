"""What carries frames, as far as plans depend on it."""

from __future__ import annotations

from typing import Protocol

HTTP_OVERHEAD_BYTES = 1100.0
"""What a frame that is a request of its own costs beside its payload, both ways, until the uplink has counted it."""


class Wire(Protocol):
    """As much of an uplink as planning needs of how it carries frames; see edge/uplink/uplink.py."""

    @property
    def frame_overhead_bytes(self) -> float:
        """What has lately travelled for a frame beside its payload, both ways."""

    @property
    def has_session(self) -> bool:
        """Whether frames may need the ones before them."""


class OneByOne:
    """Each frame is a request of its own."""

    frame_overhead_bytes = HTTP_OVERHEAD_BYTES
    has_session = False


def wire_of(uplink: object) -> Wire:
    """An uplink that says how it carries frames; else one whose frames are requests."""
    return uplink if _says(uplink) else OneByOne()  # type: ignore[return-value]  # it was looked at


def _says(uplink: object) -> bool:
    return hasattr(uplink, "frame_overhead_bytes") and hasattr(uplink, "has_session")
