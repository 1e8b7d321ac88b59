"""Which pictures a plan is measured by, where there is time for a few of many."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shared.codecs.registry import make_codec

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

_CODEC = "jpeg:quality=90"


def typical_first(
    frames: Sequence[NDArray[np.uint8]],
    prepare: Callable[[NDArray[np.uint8]], NDArray[np.uint8]],
    skipped: int,
    counted: int,
) -> list[NDArray[np.uint8]]:
    """The frames in their order, from another one on: those counted after the skipped ones are about as large as JPEG as all are, in mean and median.

    `prepare` makes the network's picture, (height, width, 3) uint8, of a frame. Else a plan that sends pictures would be held to be as fast as
    the first few allow.
    """
    codec = make_codec(_CODEC)
    sizes = np.array([len(codec.encode(prepare(frame)).payload) for frame in frames], float)
    ahead = skipped + np.arange(counted)
    starts = np.arange(len(frames))
    windows = sizes[(starts[:, None] + ahead) % len(frames)]
    off = abs(windows.mean(axis=1) - sizes.mean()) + abs(np.median(windows, axis=1) - np.median(sizes))
    start = int(np.argmin(off))
    return [*frames[start:], *frames[:start]]
