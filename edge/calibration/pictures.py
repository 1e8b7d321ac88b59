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
        preprocess, seconds, self.frames_read = Preprocess(recipe, grayscale=grayscale), [], 0

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

        A live source gives what comes next. Raises SourceError, also for fewer frames than these are.
        """
        preprocess, lengths = Preprocess(recipe, grayscale=grayscale), [RUN] * RUNS + [HELD_OUT_RUN]
        starts = run_starts(sum(lengths) if self.live else self.frames_read)
        found: list[list[NDArray[np.uint8]]] = [[] for _ in starts]
        with contextlib.closing(self._source):
            self._source.open()
            for number in range(starts[-1] + lengths[-1]):
                shot = self._source.read()
                if shot is None:
                    break
                for run, start, length in zip(found, starts, lengths, strict=True):
                    if start <= number < start + length:
                        run.append(preprocess(shot.picture))
        if [len(run) for run in found] != lengths:
            raise SourceError(f"{self.name} ended sooner than when it was read before")
        return found

    def _counted(self) -> Shot | None:
        shot = self._source.read()
        self.frames_read += shot is not None
        return shot


def run_starts(frames: int) -> list[int]:
    """Where RUNS runs begin that do not overlap, evenly spread over three quarters of `frames`, and one in the last. Raises SourceError."""
    first = max(frames * 3 // 4, RUNS * RUN)
    if first + HELD_OUT_RUN > frames:
        raise SourceError(
            f"{frames} frames are too few for --inter; accepted: a video of at least {RUNS * RUN + HELD_OUT_RUN}"
        )
    return [*np.linspace(0, first - RUN, RUNS).astype(int).tolist(), frames - HELD_OUT_RUN]


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
    many frames, each right after the one before; one that the source's end cuts short is left out, unless it is all there is.
    """
    kept: list[list[NDArray[np.uint8]]] = []
    most //= run
    begun: list[NDArray[np.uint8]] = []
    every, number = 1, 0
    for _ in range(within):
        if live and len(kept) >= most:
            break
        shot = read()
        if shot is None:
            break
        if shot.damaged:  # nothing is to be learned from what a decoder made up
            continue
        if number // run % every == 0:
            begun.append(prepare(shot.picture))
            progress(number + 1)
        number += 1
        if len(begun) == run:
            kept.append(begun)
            begun = []
            if len(kept) >= 2 * most:
                kept = kept[::2]
                every *= 2
    kept = kept or [begun]
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
