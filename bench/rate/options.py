"""The options of `python -m bench rate`."""

from __future__ import annotations

from dataclasses import dataclass
from pathlib import Path

from bench.harness.options import IMAGES, ModelOptions, names, number_between, option, positive
from bench.rate.streams.noise import GAUSSIAN, KINDS, NONE


def _paths(text: str) -> tuple[Path, ...]:
    return tuple(map(Path, names(text)))


@dataclass(frozen=True)
class RateOptions(ModelOptions):
    """Bytes per frame against what they do to the answers: every codec, at several split points.

    A classifier is measured on photographs of known classes (--images), or on sessions of video, where every codec codes a stream
    (--clip); any network on single frames of a clip or a folder of pictures (--source). About ten minutes, with --quick about one; a session
    of 600 frames takes about a quarter of an hour for each noise, with --quick one minute.
    """

    command = "rate"

    images: Path = option(IMAGES, "folder of photographs, each named by its class")
    clip: tuple[Path, ...] = option(
        (),
        "videos: a session of the consecutive frames of each, calibrated on what is before it",
        type=_paths,
    )
    clip_frames: int = option(600, "of a session, at most", quick=24, type=number_between(int, 12))
    noise: tuple[str, ...] = option(
        (NONE, GAUSSIAN), f"of a sensor, added to a session's frames: {', '.join(KINDS)}"
    )
    every: int = option(
        1, "of a clip's frames, one in so many is used: a camera of fewer frames a second", type=positive
    )
    interval: int = option(50, "frames of a session from one keyframe to the next", quick=10, type=positive)
    calibrate_on: Path | None = option(None, "another video, to fit a session's profiles to", type=Path)
    fit_frames: int = option(
        100, "that a session's profiles are fitted to", quick=16, type=number_between(int, 12)
    )
    source: str | None = option(
        None,
        "a clip or a folder of pictures: agreement as the network's task has it, calibrated on the first half, measured on the second",
    )
    frames: int = option(100, "of each half of --source", quick=12, type=positive)
    task: str | None = option(None, "as --task of edge and cloud")
    recipe: str | None = option(None, "as --recipe of edge and cloud")
    split_points: tuple[str, ...] = option(
        (), "(default: the network's stages; with --source `all` means all)"
    )
    limit: int | None = option(None, "photographs at most, evenly from all", quick=36, type=positive)

    def wrong(self) -> str | None:
        for path in (*self.clip, *filter(None, [self.calibrate_on])):
            if not path.is_file():
                return f"{'--calibrate-on' if path == self.calibrate_on else '--clip'} {path}: no such file"
        if self.clip and self.source:
            return "--clip and --source are two reports"
        if len({path.stem for path in self.clip}) < len(self.clip):
            return "--clip: two of the same name, after which files are named"
        if self.calibrate_on in self.clip:
            return f"--calibrate-on {self.calibrate_on}: it is measured"
        if unknown := set(self.noise) - set(KINDS):
            return f"--noise {', '.join(sorted(unknown))}; accepted: {', '.join(KINDS)}"
        return None
