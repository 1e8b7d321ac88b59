"""How the files of the table are made: encoded from the clip, then copied into another container, joined or spoilt."""

from __future__ import annotations

import hashlib
import shlex
import tempfile
from dataclasses import dataclass, field
from pathlib import Path
from typing import TYPE_CHECKING, Protocol

from kits.ffmpeg import ffmpeg
from kits.media import clip

if TYPE_CHECKING:
    from collections.abc import Callable


class Maker(Protocol):
    """Writes one file; equal makers write equal files."""

    def write(self, path: Path) -> None:
        """Make the file at `path`, whose suffix tells ffmpeg the container."""


def kept(maker: Maker, folder: Path, suffix: str) -> Path:
    """The file of this maker in `folder`, made by the first who asks; several processes may ask."""
    name = hashlib.sha256(repr(maker).encode()).hexdigest()[:16]
    path = folder / f"kept-{name}{suffix}"
    if not path.exists():
        with tempfile.TemporaryDirectory(dir=folder) as own:
            draft = Path(own) / path.name
            maker.write(draft)
            draft.rename(path)
    return path


@dataclass(frozen=True)
class Video:
    """The clip, encoded as ffmpeg's arguments `encode` say; `beside` are further inputs."""

    encode: str
    size: str = "160x120"
    rate: str = "10"
    frames: int = 12
    pixels: str = "yuv420p"
    beside: str = ""

    def write(self, path: Path) -> None:
        pixels = ["-pix_fmt", self.pixels] if self.pixels else []
        given = clip.given(self.size, self.rate)
        ffmpeg(
            *given, *shlex.split(self.beside), *pixels, "-threads", "1", *shlex.split(self.encode), path,
            given=clip.raw(self.size, self.frames), cwd=path.parent,
        )  # fmt: skip


@dataclass(frozen=True)
class Copied:
    """The packets of another file as they are, with other options of ffmpeg before and behind the input."""

    of: Maker
    before: str = ""
    behind: str = ""
    suffix: str = ".mp4"

    def write(self, path: Path) -> None:
        origin = kept(self.of, path.parent, self.suffix)
        ffmpeg(
            *shlex.split(self.before),
            "-i",
            origin,
            "-map",
            "0",
            "-c",
            "copy",
            *shlex.split(self.behind),
            path,
        )


@dataclass(frozen=True)
class Joined:
    """Several files end to end, byte by byte."""

    parts: tuple[Maker, ...]

    def write(self, path: Path) -> None:
        parts = [kept(part, path.parent, path.suffix) for part in self.parts]
        path.write_bytes(b"".join(part.read_bytes() for part in parts))


@dataclass(frozen=True)
class Spoilt:
    """Another file, of which `change` has changed the bytes."""

    of: Maker
    change: Callable[[bytes, Path], bytes] = field(repr=False)
    how: str = ""

    def write(self, path: Path) -> None:
        origin = kept(self.of, path.parent, path.suffix)
        path.write_bytes(self.change(origin.read_bytes(), origin))


@dataclass(frozen=True)
class Written:
    """What a function writes."""

    function: Callable[[Path], None]

    def write(self, path: Path) -> None:
        self.function(path)
