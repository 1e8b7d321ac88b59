"""What a file of JSON lines holds, as far as whoever adds to it has to know."""

from __future__ import annotations

import json
import os
from datetime import UTC, datetime
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from pathlib import Path

_HEAD_BYTES = 1 << 20
"""A power cut may leave zeros in place of the latest lines, at most so many."""


def is_ours(path: Path, size: int) -> bool:
    """Whether a file of `size` bytes, which are not 0, holds JSON lines, as far as its beginning says. True if it may not be read."""
    try:
        with path.open("rb") as file:
            head = file.read(_HEAD_BYTES).lstrip(b"\0\r\n")
    except OSError:
        return True
    if not head:
        return size <= _HEAD_BYTES
    return head.startswith(b'{"') or head == b"{"


def is_torn(path: Path) -> bool:
    """Whether the last line of a file that is not empty has no end. False if it may not be read."""
    try:
        with path.open("rb") as file:
            file.seek(-1, os.SEEK_END)
            return file.read(1) != b"\n"
    except OSError:
        return False


def age_s(path: Path) -> float:
    """How long ago the first line came, by its `time`; 0 where that cannot be known, or lies in the future."""
    try:
        with path.open("rb") as file:
            first: Any = json.loads(file.readline(_HEAD_BYTES))
        at = datetime.fromisoformat(first["time"])
        return max(0.0, (datetime.now(UTC) - at).total_seconds())
    except (OSError, ValueError, TypeError, KeyError, RecursionError):
        return 0.0
