"""What the header of a JPEG 2000 says."""

from __future__ import annotations

CODESTREAM = b"\xff\x4f\xff\x51"
"""How its compressed part begins."""
END = b"\xff\xd9"
_DEPTH_AT = 42
"""Where the first component has it, in the compressed part (ISO/IEC 15444-1, A.5.1)."""


def is_deep(data: bytes) -> bool:
    """Whether samples have 16 bits, which says little about how many are used; fewer are said by those who mean it."""
    depth_at = data.find(CODESTREAM) + _DEPTH_AT
    return data[depth_at] & 0x7F == 15
