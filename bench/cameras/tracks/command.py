"""`python -m bench tracks`: the edge's tracker on real clips, against a reference that follows pixels."""

from __future__ import annotations

import time
from dataclasses import dataclass, field
from itertools import pairwise
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from bench.cameras.tracks.reference import ByFlow
from bench.harness.options import DATA, ReportOptions, first_file, option
from bench.report.report import Findings, Table, about, publish
from edge.output.events.tracks import Tracks
from edge.sources.registry import open_source
from shared.engines.choice import make_engine
from shared.errors import SettingsError, SplitDNNError
from shared.network.choice import NAMED_SECONDS, NetworkChoice
from shared.network.find import find_bundle
from shared.network.partition import OUTPUT
from shared.network.recipes.resize import fit_picture
from shared.tasks.detection.boxes import Boxes
from shared.tasks.registry import make_task
from shared.tasks.spec import Wanted

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from numpy.typing import NDArray

    from bench.report.report import Cell
    from shared.tasks.detection.boxes import Box

_FRAMES, _LOST_S = 3, 2.0
"""The edge's defaults."""
_CACHE = "~/.cache/splitdnn"
_CLIPS = tuple(str(DATA / "videos" / name) for name in ("car-detection.mp4", "bottle-detection.mp4"))
_WEIGHTS = DATA / "weights"


@dataclass(frozen=True)
class TracksOptions(ReportOptions):
    """A detector on whole clips, its boxes given to the edge's tracker, and to one that follows pixels by optical flow. A minute."""

    command = "tracks"

    model: str = option(first_file(_WEIGHTS / "fastestdet.onnx", ""), "a detector, as the edge takes it")
    labels: str = option(first_file(_WEIGHTS / "fastestdet-labels.txt", ""), "its file of labels")
    recipe: str = option("channels=BGR", "changes to its recipe")
    threshold: float = option(0.4, "least score of a box")
    clips: tuple[str, ...] = option(_CLIPS, "recordings")
    frames: int = option(0, "of each clip, at most; 0: all", quick=60)

    def wrong(self) -> str | None:
        return (
            None if self.model else "--model: there is no ../shared/weights/fastestdet.onnx; name a detector"
        )


@dataclass
class Tally:
    """What both have made of one clip."""

    frames: int = 0
    boxes: int = 0
    told: set[int] = field(default_factory=set)
    left: int = 0
    seconds: float = 0.0
    mine: dict[int, list[int]] = field(default_factory=dict)
    """By object of the tracker, the reference's for each of its boxes."""
    theirs: dict[int, list[int]] = field(default_factory=dict)
    """The other way round."""

    def add(self, boxes: Sequence[Box], tracks: Tracks, reference: Sequence[int]) -> None:
        numbers = {id(each.box): each.number for each in tracks.followed}
        self.frames += 1
        self.boxes += len(boxes)
        for box, theirs in zip(boxes, reference, strict=True):
            mine = numbers.get(id(box), 0)
            self.mine.setdefault(mine, []).append(theirs)
            self.theirs.setdefault(theirs, []).append(mine)

    def row(self, clip: Path) -> dict[str, Cell]:
        objects = {number: seen for number, seen in self.theirs.items() if len(seen) >= _FRAMES}
        told = [[each for each in seen if each in self.told] for seen in objects.values()]
        return {
            "clip": clip.name,
            "frames": self.frames,
            "boxes": self.boxes,
            "objects by flow": len(objects),
            "objects told": len(self.told),
            "of them left": self.left,
            "by flow, never told": sum(not each for each in told),
            "switches": sum(map(_changes, told)),
            "merges": sum(_changes(seen) for number, seen in self.mine.items() if number in self.told),
            "ms/frame": 1e3 * self.seconds / max(1, self.frames),
        }


def main(arguments: Sequence[str]) -> int:
    return TracksOptions.read(arguments).report(_run, SplitDNNError)


def _run(options: TracksOptions) -> list[Path]:
    """The files that were written."""
    measured_on = about(options.model, ",".join(options.clips))
    print(measured_on, flush=True)
    detector = _Detector(options)
    rows = [_tally(detector, clip, options.frames).row(Path(clip)) for clip in options.clips]
    table = Table(
        "tracks",
        "Objects followed from frame to frame",
        f"Boxes with a score of {options.threshold:g} or more; an object is told after {_FRAMES} frames in a row, and has left after "
        f"{_LOST_S:g} s. A switch: the pixels say the same object, the tracker another one. A merge: the other way round.",
        rows,
    )
    return publish(options.results, "tracks", Findings(detector.engine, [table]), measured_on)


class _Detector:
    """The whole network, in float32 on one thread."""

    def __init__(self, options: TracksOptions) -> None:
        choice = NetworkChoice(options.model, "auto", 0, options.labels or None, options.recipe, None)
        bundle = find_bundle(choice, _CACHE, patience_s=NAMED_SECONDS)
        engine = make_engine(bundle, precision="float32", threads=1)
        self.engine = engine.name
        self._model = bundle.model
        self._task = make_task(bundle.model, Wanted(threshold=options.threshold))
        self._run = engine.head(bundle.partition.point(OUTPUT))

    def boxes(self, picture: NDArray[np.uint8]) -> Sequence[Box]:
        """Those of a (H, W, 3) BGR picture, in its pixels. Raises SettingsError if the network gives none."""
        recipe = self._model.recipe
        resized = fit_picture(np.ascontiguousarray(picture[..., ::-1]), recipe)
        answer = self._task.answer(tuple(each[0] for each in self._run((recipe.normalise(resized)[None],))))
        if not isinstance(answer, Boxes):
            raise SettingsError(
                f"--model {self._model.name}: this network gives no boxes; accepted: a detector"
            )
        height, width = picture.shape[:2]
        return answer.in_picture(recipe, (height, width)).boxes


def _tally(detector: _Detector, clip: str, frames: int) -> Tally:
    tracks, reference, tally = Tracks(_FRAMES, _LOST_S), ByFlow(_LOST_S), Tally()
    for picture, at in _pictures(clip, frames):
        boxes = detector.boxes(picture)
        start = time.perf_counter()
        appeared, left = tracks.look(boxes, at)
        tally.seconds += time.perf_counter() - start
        tally.told |= {each.number for each in appeared}
        tally.left += len(left)
        tally.add(boxes, tracks, reference.look(picture, boxes, at))
    return tally


def _pictures(clip: str, most: int) -> Iterator[tuple[NDArray[np.uint8], float]]:
    """Each picture with its time in seconds."""
    source = open_source(clip)
    source.open()
    try:
        number = 0
        while (shot := source.read()) is not None and (not most or number < most):
            yield shot.picture, float(number) if shot.media_time_s is None else shot.media_time_s
            number += 1
    finally:
        source.close()


def _changes(numbers: Sequence[int]) -> int:
    return sum(one != other for one, other in pairwise(numbers))
