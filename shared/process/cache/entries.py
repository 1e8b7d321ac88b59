"""Entries of the disk cache: their names, digests and times of use."""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
from typing import TYPE_CHECKING

from shared.process.digest import sha256_of

if TYPE_CHECKING:
    from pathlib import Path

ABOUT = "about.json"
"""The file in a folder entry that holds the others' digests."""
KEY_DIGITS = 24
DIGEST_DIGITS = 16


def split(name: str) -> tuple[str, str]:
    """`survey-0123.json` into `survey-0123` and `.json`."""
    stem, dot, suffix = name.partition(".")
    return stem, dot + suffix


def file_name(name: str, data: bytes) -> str:
    stem, suffix = split(name)
    return f"{stem}-{hashlib.sha256(data).hexdigest()[:DIGEST_DIGITS]}{suffix}"


def digits(count: int) -> str:
    return f"-[0-9a-f]{{{count}}}"


def digests(entry: Path) -> dict[str, str]:
    """SHA-256 of every file but the one that holds them."""
    return {path.name: sha256_of(path) for path in sorted({*entry.iterdir()} - {entry / ABOUT})}


def used_at(entry: Path) -> float:
    """Seconds since 1970; 0 for what another process has just removed."""
    try:
        return entry.stat().st_mtime
    except OSError:
        return 0.0


def mark_used(entry: Path) -> None:
    with contextlib.suppress(OSError):  # a folder that is mounted for reading has no need of it
        os.utime(entry)


def remove(entry: Path) -> None:
    with contextlib.suppress(OSError):
        if entry.is_dir():
            shutil.rmtree(entry, ignore_errors=True)
        else:
            entry.unlink(missing_ok=True)
