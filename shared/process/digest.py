"""SHA-256 of files, taken in few steps."""

from __future__ import annotations

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path

_BLOCK = 8 << 20
"""Reading and hashing leave the interpreter to other threads, and each block may wait twice to get it back, 5 ms at the worst: with the
256 kB of `hashlib.file_digest` a network of 100 MB would wait 800 times beside a thread that imports."""


def sha256_of(path: Path) -> str:
    """64 hexadecimal digits. Raises OSError."""
    digest = hashlib.sha256()
    with path.open("rb", buffering=0) as file:
        block = memoryview(bytearray(min(_BLOCK, max(1, path.stat().st_size))))
        while count := file.readinto(block):
            digest.update(block[:count])
    return digest.hexdigest()
