"""What FFmpeg says of a failure."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from av.error import FFmpegError


def reason(error: FFmpegError) -> str:
    """In one line, without the target, which may hold a password."""
    return " ".join(str(error.strerror).split())
