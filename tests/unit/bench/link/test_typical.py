"""A few pictures stand for all of them: the first ones of a folder may all be small."""

from __future__ import annotations

import numpy as np

from bench.link.cell import counted
from bench.link.typical import typical_first
from shared.codecs.registry import make_codec


def picture(kind: int) -> np.ndarray:
    """The larger the number the more there is to be coded."""
    noise = np.random.default_rng(kind).integers(0, 1 + 8 * kind, (32, 32, 3))
    return noise.astype(np.uint8)


def size(frame: np.ndarray) -> int:
    return len(make_codec("jpeg:quality=90").encode(frame).payload)


def test_those_that_are_counted_are_like_all() -> None:
    kinds = [1, 1, 1, 1, 1, 1, 20, 25, 5, 12, 30, 3]
    frames = [picture(kind) for kind in kinds]
    found = typical_first(frames, lambda frame: frame, 2, 3)
    start = next(place for place, frame in enumerate(frames) if frame is found[0])
    assert [id(each) for each in found] == [id(each) for each in [*frames[start:], *frames[:start]]]
    sizes = [size(each) for each in frames]
    mean = float(np.mean(sizes))

    def off(counted: list[int]) -> float:
        return abs(np.mean(counted) - mean) + abs(np.median(counted) - np.median(sizes))

    rotated = [sizes[(start + each) % 12] for each in (2, 3, 4)]
    assert off(rotated) == min(off([sizes[(at + each) % 12] for each in (2, 3, 4)]) for at in range(12))
    assert off(rotated) < off(sizes[2:5])


def test_more_are_left_out_and_counted_where_queues_fill() -> None:
    assert counted("latency", 4) == (2, 4)
    assert counted("throughput", 4) == (4, 16)
