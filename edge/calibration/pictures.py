"""Pictures to calibrate and to survey with, evenly spread over a source."""

from __future__ import annotations

import contextlib
import statistics
import time
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.frames.preprocess import Preprocess
from edge.sources.registry import open_source
from shared.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from edge.sources.base import Shot
    from shared.network.recipe import Recipe

ENOUGH = 300
"""Pictures to fit to. If there are fewer, variants of them are added, at most two of each: up to three quarters of this number, and
at least one for every three pictures. What is beyond changes little: 75 variants of 150 frames of a clip are as good as 150."""
RUNS, RUN = 6, 25
"""Runs of frames that follow each other, and the frames of each, for the codec `calibrated-inter`."""
HELD_OUT_RUN = 50
"""Frames of one more, from the last quarter: it is measured and not fitted to."""
_MAX_READ = 20_000
_MOST_LIVE = 10 * (RUNS * RUN + HELD_OUT_RUN)
"""Frames that a live source is read for, where some are damaged."""


class Footage:
    """A source that pictures are taken from, opened only while they are."""

    def __init__(self, spec: str, *, open_timeout_s: float = 1.0, read_timeout_s: float = 1.0) -> None:
        """`spec` as `--source` takes it. Raises SourceError or SettingsError."""
        self._source = open_source(spec, open_timeout_s=open_timeout_s, read_timeout_s=read_timeout_s)
        self.name, self.live = self._source.name, self._source.live
        self.frames_read = 0
        """By the latest `read`."""
        self.prepare_s = 0.0
        """Median time that it took to prepare one of the latest pictures."""
        self._damaged: list[int] = []
        """Which of the frames were, counted from 0."""

    def read(
        self,
        recipe: Recipe,
        most: int,
        *,
        grayscale: bool = False,
        within: int = _MAX_READ,
        run: int = 1,
        progress: Callable[[int], object] = lambda _: None,
    ) -> list[NDArray[np.uint8]]:
        """At most `most` pictures as the network takes them, (height, width, 3) uint8 RGB, as `spread` chooses them.

        Raises SourceError.
        """
        preprocess, seconds = Preprocess(recipe, grayscale=grayscale), []
        self.frames_read, self._damaged = 0, []

        def prepare(frame: NDArray[np.uint8]) -> NDArray[np.uint8]:
            start = time.perf_counter()
            picture = preprocess(frame)
            seconds.append(time.perf_counter() - start)
            return picture

        with contextlib.closing(self._source):
            self._source.open()
            pictures = spread(
                self._counted, prepare, most, live=self.live, within=within, run=run, progress=progress
            )
        self.prepare_s = statistics.median(seconds) if seconds else 0.0
        return pictures

    def runs(self, recipe: Recipe, *, grayscale: bool = False) -> list[list[NDArray[np.uint8]]]:
        """RUNS runs from the first three quarters of what `read` has read, and one from the last, from a source that is read once more.

        A live source gives what comes next. A run in which a frame is damaged begins anew after it, and those after it later. Raises
        SourceError, also for fewer frames than these are.
        """
        preprocess, lengths = Preprocess(recipe, grayscale=grayscale), [RUN] * RUNS + [HELD_OUT_RUN]
        starts = run_starts(sum(lengths)) if self.live else run_starts(self.frames_read, self._damaged)
        found: list[list[NDArray[np.uint8]]] = [[]]
        with contextlib.closing(self._source):
            self._source.open()
            for number in range(_MOST_LIVE if self.live else _MAX_READ):
                shot = self._source.read()
                if shot is None:
                    break
                if shot.damaged:
                    found[-1].clear()
                elif found[-1] or number >= starts[len(found) - 1]:
                    found[-1].append(preprocess(shot.picture))
                if len(found[-1]) == lengths[len(found) - 1]:
                    if len(found) == len(lengths):
                        return found
                    found.append([])
        raise SourceError(
            f"{self.name} gave no {RUNS} runs of {RUN} whole frames and one of {HELD_OUT_RUN}: it has damaged ones, or ended sooner than "
            "when it was read before"
        )

    def _counted(self) -> Shot | None:
        shot = self._source.read()
        if shot is not None:
            if shot.damaged:
                self._damaged.append(self.frames_read)
            self.frames_read += 1
        return shot


def run_starts(frames: int, damaged: Sequence[int] = ()) -> list[int]:
    """Where RUNS runs begin that do not overlap, evenly spread over three quarters of `frames`, and one in the last. Raises SourceError.

    `damaged`: those that are, ascending; the last run is the latest that has none of them.
    """
    first = max(frames * 3 // 4, RUNS * RUN)
    if first + HELD_OUT_RUN > frames:
        raise SourceError(
            f"{frames} frames are too few for --inter; accepted: a video of at least {RUNS * RUN + HELD_OUT_RUN}"
        )
    last = frames - HELD_OUT_RUN
    for each in reversed(damaged):
        if last <= each < last + HELD_OUT_RUN:
            last = each - HELD_OUT_RUN
    return [*np.linspace(0, first - RUN, RUNS).astype(int).tolist(), max(last, first)]


def spread(
    read: Callable[[], Shot | None],
    prepare: Callable[[NDArray[np.uint8]], NDArray[np.uint8]],
    most: int,
    *,
    live: bool,
    within: int = _MAX_READ,
    run: int = 1,
    progress: Callable[[int], object] = lambda _: None,
) -> list[NDArray[np.uint8]]:
    """At most `most` prepared frames, in order and evenly spread over what was read: the first `within`, until None.

    The length of a source shows only at its end. So every frame is kept at first; whenever there are twice too many, every
    second one goes, and from then on only half as many are kept. A live source is read until there are `most`. Damaged
    frames are left out. `progress` is told how many others were read. `run`, of which `most` is a multiple: what is spread are runs of so
    many frames, each right after the one before; one that the source's end or a damaged frame cuts short is left out, unless it is all
    there is.
    """
    kept: list[list[NDArray[np.uint8]]] = []
    most //= run
    begun: list[NDArray[np.uint8]] = []
    longest = begun
    every, number, others = 1, 0, 0
    for _ in range(within):
        if live and len(kept) >= most:
            break
        shot = read()
        if shot is None:
            break
        if (
            shot.damaged
        ):  # nothing is to be learned from what a decoder made up, nor do those around it follow each other
            longest, begun = max(longest, begun, key=len), []
            number -= number % run
            continue
        others += 1
        if number // run % every == 0:
            begun.append(prepare(shot.picture))
            progress(others)
        number += 1
        if len(begun) == run:
            kept.append(begun)
            begun = []
            if len(kept) >= 2 * most:
                kept = kept[::2]
                every *= 2
    kept = kept or [max(longest, begun, key=len)]
    chosen = np.linspace(0, len(kept) - 1, min(most, len(kept))).astype(int)
    return [picture for place in chosen for picture in kept[place]]


def variants(pictures: Sequence[NDArray[np.uint8]], count: int | None = None) -> list[NDArray[np.uint8]]:
    """`count` more pictures: cut from the given ones, enlarged to their size, half of them mirrored. Always the same.

    `pictures`: at least one, each (height, width, 3) uint8. Without a count, as many as ENOUGH says.
    """
    if count is None:
        given = len(pictures)
        count = max(0, min(2 * given, max(3 * ENOUGH // 4 - given, min(given // 3, ENOUGH - given))))
    rng = np.random.default_rng(0)
    made = []
    for number in range(count):
        picture = pictures[number % len(pictures)]
        height, width = picture.shape[:2]
        share = rng.uniform(0.6, 1.0)
        rows, columns = max(1, int(height * share)), max(1, int(width * share))
        top, left = rng.integers(0, height - rows + 1), rng.integers(0, width - columns + 1)
        cut = cv2.resize(
            picture[top : top + rows, left : left + columns], (width, height), interpolation=cv2.INTER_AREA
        )
        made.append(np.ascontiguousarray(cut[:, ::-1]) if rng.random() < 0.5 else cut)
    return made  # type: ignore[return-value]  # OpenCV's stubs know no dtypes
