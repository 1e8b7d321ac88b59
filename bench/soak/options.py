"""What `python -m bench soak` does, and for how long."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.harness.options import number_between, option, positive, read_options

if TYPE_CHECKING:
    from collections.abc import Sequence


@dataclass(frozen=True)
class SoakOptions:
    """One run."""

    frames: int = option(20_000, "answered in all, then it ends", type=positive)
    seconds: float = option(3600.0, "it ends at the latest", quick=120.0, type=number_between(float, 10, 1e6))
    quick: bool = option(False, "two minutes, to see that it works")
    edges: int = option(8, "how many", type=number_between(int, 1, 64))
    fps: float = option(5.0, "frames/s of each edge", type=number_between(float, 0.1, 1000))
    seed: int = option(0, "of the faults")
    model: str = option("mobilenet_v2", "with random weights")
    split_point: str = option("features.13", "of every edge")
    warm: float = option(
        60.0,
        "seconds after which memory and files are counted",
        quick=30.0,
        type=number_between(float, 0, 1e6),
    )
    folder: Path | None = option(
        None, "keep records, ledger and logs there (default: they are removed)", type=Path
    )


def read_soak_options(arguments: Sequence[str]) -> SoakOptions:
    """From the command line; ends the process with a usage line if that cannot be read."""

    def check(options: SoakOptions) -> str | None:
        earlier = options.folder and any(options.folder.glob("*.jsonl"))
        return f"{options.folder} holds an earlier soak's records" if earlier else None

    about = (
        "Run edges against one cloud while the cloud is killed, paused and cut off at random; count frames, memory and open "
        "files."
    )
    return read_options(SoakOptions, "python -m bench soak", about, arguments, check)
