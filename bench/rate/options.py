"""What `python -m bench rate` measures."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.harness.options import DATA, ModelOptions, names, option, positive, read_options

if TYPE_CHECKING:
    from collections.abc import Sequence

IMAGES = DATA / "images"


@dataclass(frozen=True)
class RateOptions(ModelOptions):
    """One run of the report."""

    images: Path = option(IMAGES, "folder of photographs, each named by its class")
    clip: Path | None = option(None, "a video, measured as well and never calibrated on", type=Path)
    clip_frames: int = option(120, "of the clip, evenly from all of it", quick=12, type=positive)
    split_points: tuple[str, ...] = option((), "(default: the network's stages)", type=names, metavar="A,B")
    limit: int | None = option(None, "photographs at most, evenly from all", quick=36, type=positive)


def read_rate_options(arguments: Sequence[str]) -> RateOptions:
    """From the command line; ends the process with a usage line if that cannot be read."""

    def check(options: RateOptions) -> str | None:
        absent = options.clip is not None and not options.clip.is_file()
        return f"--clip {options.clip}: no such file" if absent else None

    about = (
        "Bytes per frame against what they do to the answers: every codec, at several split points. About ten minutes, with "
        "--quick about one."
    )
    return read_options(RateOptions, "python -m bench rate", about, arguments, check)
