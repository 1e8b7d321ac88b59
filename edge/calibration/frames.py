"""Pictures to calibrate with: evenly spread over a source, and variants of them where there are few."""

from __future__ import annotations

from typing import TYPE_CHECKING

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from edge.sources.base import Source

_MAX_READ = 20_000
ENOUGH = 300
"""Tensors that are fitted to. Where there are fewer frames, variants of them are added, at most two of each."""


def read_pictures(
    source: Source,
    prepare: Callable[[NDArray[np.uint8]], NDArray[np.uint8]],
    most: int,
    progress: Callable[[int], object] = lambda _: None,
    *,
    within: int = _MAX_READ,
) -> list[NDArray[np.uint8]]:
    """At most `most` prepared pictures, (crop, crop, 3) uint8 RGB, in order and evenly spread over what was read.

    How long a source is shows only at its end. So every frame is kept at first, and whenever there are twice too many, every
    second one goes, and from then on only half as many are kept. A live source is read until there are `most`. No more than the
    first `within` frames are read.
    """
    kept: list[NDArray[np.uint8]] = []
    every = 1
    for number in range(within):
        if source.live and len(kept) >= most:
            break
        frame = source.read()
        if frame is None:
            break
        if number % every == 0:
            kept.append(prepare(frame))
            progress(number + 1)
        if len(kept) >= 2 * most:
            kept = kept[::2]
            every *= 2
    return [kept[i] for i in np.linspace(0, len(kept) - 1, min(most, len(kept))).astype(int)]


def variants(pictures: Sequence[NDArray[np.uint8]], count: int | None = None) -> list[NDArray[np.uint8]]:
    """`count` more pictures: parts of the given ones, enlarged to their size, half of them mirrored. Always the same.

    Without a count, as many as are missing from ENOUGH.
    """
    if count is None:
        count = max(0, min(ENOUGH - len(pictures), 2 * len(pictures)))
    rng = np.random.default_rng(0)
    made = []
    for number in range(count):
        picture = pictures[number % len(pictures)]
        size = picture.shape[0]
        part = int(size * rng.uniform(0.6, 1.0))
        top, left = rng.integers(0, size - part + 1, 2)
        cut = cv2.resize(
            picture[top : top + part, left : left + part], (size, size), interpolation=cv2.INTER_AREA
        )
        made.append(np.ascontiguousarray(cut[:, ::-1]) if rng.random() < 0.5 else cut)
    return made  # type: ignore[return-value]  # OpenCV's stubs know no dtypes
