"""What is left out of a source: a file that cannot be read."""

from __future__ import annotations

MAX_PIXELS = 178_956_970
"""As Pillow has it. A picture of so many takes 537 MB."""
MAX_BYTES = 1 << 30


class UnreadableError(Exception):
    """A file, or what is left of it, cannot be read. The text says why; it follows the file's name and a colon."""


def refuse_huge(width: int, height: int) -> None:
    """Raise UnreadableError if a picture of this size is not to be decoded."""
    if width * height > MAX_PIXELS:
        raise UnreadableError(
            f"{width} x {height} pixels; at most {MAX_PIXELS // 10**6} million are accepted"
        )
