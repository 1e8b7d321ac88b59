"""What has crossed a link: bytes as its sockets gave them, and what TCP and IP would have put around them."""

from __future__ import annotations

from dataclasses import astuple, dataclass

HEADER_BYTES = 52
"""IPv4's 20, TCP's 20 and its timestamps' 12, with every segment."""
_SYN_BYTES = 60
"""With the options of the first segments of a connection."""
_OPENING, _CLOSING = 3, 4
"""Segments without data by which a connection begins and ends."""


@dataclass(frozen=True, slots=True)
class Counts:
    """Since the emulator was made, or between two looks at it."""

    up_bytes: int = 0
    """Payload of TCP, so with HTTP's or TLS's own bytes."""
    down_bytes: int = 0
    up_segments: int = 0
    down_segments: int = 0
    connections: int = 0

    def __sub__(self, before: Counts) -> Counts:
        return Counts(*(now - then for now, then in zip(astuple(self), astuple(before), strict=True)))

    @property
    def socket_bytes(self) -> int:
        """Both ways."""
        return self.up_bytes + self.down_bytes

    @property
    def header_bytes(self) -> int:
        """TCP's and IP's, both ways, computed: the sockets do not see them.

        Two segments are acknowledged at once, by a segment of the other direction where there is one, else by one without data.
        """
        segments = self.up_segments + self.down_segments
        bare = _bare(self.up_segments, self.down_segments) + _bare(self.down_segments, self.up_segments)
        ends = self.connections * (_OPENING * _SYN_BYTES + _CLOSING * HEADER_BYTES)
        return (segments + bare) * HEADER_BYTES + ends


def _bare(segments: int, back: int) -> int:
    """Acknowledgements that nothing takes along."""
    return max(0, -(-segments // 2) - back)
