"""Whether this process may read a file."""

from __future__ import annotations

import os
from typing import TYPE_CHECKING

from shared.errors import SourceError

if TYPE_CHECKING:
    from pathlib import Path


def refuse_unreadable(path: Path) -> None:
    """Raise SourceError if this user may not read the file or folder at `path`."""
    if not os.access(path, os.R_OK):
        raise SourceError(f"{path}: user {os.getuid()} may not read it")
