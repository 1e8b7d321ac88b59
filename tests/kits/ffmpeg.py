"""The program ffmpeg, with which tests make videos and look at them: the one that imageio-ffmpeg brings, not this machine's."""

from __future__ import annotations

import subprocess
from functools import cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pathlib import Path


class FFmpegError(RuntimeError):
    """It failed, or took too long: in one line, with the command's end."""


@cache
def program() -> str:
    """Where it is."""
    import imageio_ffmpeg

    return imageio_ffmpeg.get_ffmpeg_exe()


def ffmpeg(
    *arguments: str | Path | float, given: bytes = b"", cwd: Path | None = None, limit_s: float = 120.0
) -> bytes:
    """Run `ffmpeg -v error -y …` with these bytes as its standard input, in the folder `cwd`. Returns what it writes to `-`.

    Files in arguments are relative to `cwd`. Raises FFmpegError.
    """
    words = [str(each) for each in arguments]
    command = [program(), "-hide_banner", "-v", "error", "-y", *([] if given else ["-nostdin"]), *words]
    try:
        finished = subprocess.run(
            command, check=False, input=given, cwd=cwd, capture_output=True, timeout=limit_s
        )
    except subprocess.TimeoutExpired:
        raise FFmpegError(f"ffmpeg {' '.join(words)}: not done after {limit_s:g} s") from None
    if finished.returncode:
        said = finished.stderr.decode(errors="replace").split("\n")
        first = next((line for line in said if line.strip()), "no word")
        raise FFmpegError(f"ffmpeg {' '.join(words)}: exit status {finished.returncode}: {first.strip()}")
    return finished.stdout


def drawn(path: Path, *arguments: str | float, of: str = "testsrc=size=64x48:rate=10:duration=1") -> Path:
    """A video of one of ffmpeg's own drawn sources at `path`, encoded as the arguments say."""
    ffmpeg("-f", "lavfi", "-i", of, *arguments, path)
    return path
