"""A folder of profiles' files that several clouds share: each file under the name that its own hash gives it, so that nobody overwrites another's."""

from __future__ import annotations

import contextlib
import os
import re
import secrets
import time
from pathlib import Path

from shared.codecs.calibrated.profile import HASH_BYTES, digest_of

MOST_FILES = 256
MOST_BYTES = 1 << 30
"""What the folder holds at most: files that nobody has used for longest go first, for whichever of the clouds."""
_NAME = re.compile(rf"[0-9a-f]{{{2 * HASH_BYTES}}}\.safetensors")
_PART = re.compile(rf"\.[0-9a-f]{{{2 * HASH_BYTES}}}\.[0-9a-f]+\.part")
_LEFT_OVER_S = 3600.0
"""A part of this age is nobody's any more: its writer has ended."""


class ProfileFolder:
    """Reads and writes it; every method blocks, and any number of threads, processes and machines may use the folder."""

    def __init__(self, path: str, most_bytes: int) -> None:
        """`most_bytes`: a longer file is no profile that this cloud takes."""
        self.path = Path(path).expanduser()
        self._most_bytes = most_bytes

    def read(self, name: str) -> bytes | None:
        """The file of the profile of this name; None if there is none. Raises OSError, or ValueError for one that is damaged, which goes."""
        path = self._file(name)
        try:
            descriptor = os.open(path, os.O_RDONLY | os.O_NOFOLLOW | os.O_NONBLOCK | os.O_CLOEXEC)
        except FileNotFoundError:
            return None
        with open(descriptor, "rb") as file:  # noqa: PTH123 - a descriptor
            data = file.read(self._most_bytes + 1)
        if len(data) > self._most_bytes:
            raise ValueError(f"{path} has more than {self._most_bytes} bytes")
        if digest_of(data).hex() != name:
            with contextlib.suppress(OSError):
                path.unlink()
            raise ValueError(f"{path} is not the profile of its name, and was removed")
        with contextlib.suppress(OSError):  # a folder that is mounted for reading has no need of it
            os.utime(path)
        return data

    def write(self, name: str, data: bytes) -> None:
        """Keep a profile. Whoever reads it meanwhile finds the whole file or none. Raises OSError."""
        path = self._file(name)
        if path.exists():
            return
        self.path.mkdir(parents=True, exist_ok=True)
        part = self.path / f".{name}.{secrets.token_hex(8)}.part"
        try:
            with part.open("xb") as file:
                file.write(data)
                file.flush()
                os.fsync(file.fileno())  # or the name may be there after a loss of power, and the bytes not
            part.replace(path)
        except OSError:
            with contextlib.suppress(OSError):
                part.unlink(missing_ok=True)
            raise
        self._make_room(path)

    def _file(self, name: str) -> Path:
        return self.path / f"{name}.safetensors"

    def _make_room(self, newest: Path) -> None:
        """Several may do this at once: what another has removed meanwhile is gone all the same."""
        found: list[tuple[float, int, str]] = []
        with os.scandir(self.path) as entries:
            for entry in entries:
                with contextlib.suppress(OSError):
                    status = entry.stat(follow_symlinks=False)
                    if _NAME.fullmatch(entry.name):
                        found.append((status.st_mtime, status.st_size, entry.path))
                    elif _PART.fullmatch(entry.name) and status.st_mtime < time.time() - _LEFT_OVER_S:
                        Path(entry.path).unlink()
        count, size = len(found), sum(each[1] for each in found)
        for _, bytes_of, path in sorted(found):
            if count <= MOST_FILES and size <= MOST_BYTES:
                return
            if path != str(newest):
                with contextlib.suppress(OSError):
                    Path(path).unlink()
                count, size = count - 1, size - bytes_of
