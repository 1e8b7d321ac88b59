"""A class map in binary, as SESSION.md has it: whole numbers of one to four bytes, a third of its JSON."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shared.limits import MAX_LABELS, MAX_PICTURE_PIXELS
from shared.tasks.segmentation.class_map import MAX_RUNS, ClassMap, Share, parse_map, shares_of

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from shared.wire.frame import Bytes

_MORE = 0x80
_MOST_BYTES = 4
_HEAD = 4
_MILLIONTHS = 1_000_000
_MOST_NUMBERS = _HEAD + 2 * MAX_LABELS + 2 * MAX_RUNS


def packed_map(answer: ClassMap, labels: Sequence[str], size: tuple[int, int]) -> bytes | None:
    """None for no map of the whole input, of `size` (width, height), or one whose shares are not those of its runs."""
    if answer.size is None or answer.covers != (0, 0, *size):
        return None
    shares = [number for each in answer.shares for number in (each.class_id, round(each.share * _MILLIONTHS))]
    if answer.thinned == 1:  # they are in the map
        if answer.shares != _shares(np.array(answer.runs), labels):
            return None
        shares = []
    return packed_numbers([*answer.size, answer.thinned, len(shares) // 2, *shares, *answer.runs])


def unpacked_map(body: Bytes, labels: Sequence[str], size: tuple[int, int]) -> ClassMap:
    """The map, every value checked, of an input of `size` (width, height). Raises ValueError."""
    numbers = read_numbers(body)
    if not _HEAD <= len(numbers) <= _MOST_NUMBERS:
        raise ValueError(f"{len(numbers)} numbers are no map")
    width, height, thinned, count = numbers[:_HEAD].tolist()
    runs = numbers[_HEAD + 2 * count :]
    if (thinned == 1) != (count == 0) or count > len(labels) or len(runs) % 2 or len(runs) > 2 * MAX_RUNS:
        raise ValueError(f"{count} shares and {len(runs)} numbers of runs of a map thinned {thinned} times")
    if width * height > MAX_PICTURE_PIXELS or (runs[::2] >= len(labels)).any():
        raise ValueError(f"a map of {width}x{height}, of {len(labels)} classes")
    if count:
        pairs = numbers[_HEAD : _HEAD + 2 * count].reshape(-1, 2).tolist()
        shares = [{"class_id": number, "share": share / _MILLIONTHS} for number, share in pairs]
    else:
        shares = [each._asdict() for each in _shares(runs, labels)]
    fields = {
        "runs": runs.tolist(),
        "size": [width, height],
        "covers": [0, 0, *size],
        "shares": shares,
        "thinned": thinned,
    }
    return parse_map(fields, labels, size)


def packed_numbers(given: Sequence[int]) -> bytes:
    """Numbers below 2^28 one after another, each as a varint of SESSION.md."""
    values = np.array(given, np.int64)
    sizes = np.ones(len(values), np.int64)
    for place in range(1, _MOST_BYTES):
        sizes += values >> 7 * place > 0
    starts = np.cumsum(sizes) - sizes
    found = np.zeros(int(np.sum(sizes)), np.uint8)
    for place in range(_MOST_BYTES):
        there = sizes > place
        more = np.where(sizes[there] > place + 1, _MORE, 0)
        found[starts[there] + place] = values[there] >> 7 * place & (_MORE - 1) | more
    return found.tobytes()


def read_numbers(body: Bytes) -> NDArray[np.int64]:
    """All numbers in these bytes. Raises ValueError unless each is in its shortest form and below 2^28."""
    data = np.frombuffer(body, np.uint8)
    ends = np.flatnonzero(data < _MORE)
    if not len(ends) or ends[-1] != len(data) - 1:
        raise ValueError("the last number does not end")
    starts = np.concatenate([[0], ends[:-1] + 1])
    sizes = ends - starts + 1
    if sizes.max() > _MOST_BYTES or (data[ends[sizes > 1]] == 0).any():
        raise ValueError("a number that is too long")
    values = np.zeros(len(ends), np.int64)
    for place in range(_MOST_BYTES):
        there = sizes > place
        values[there] |= (data[starts[there] + place].astype(np.int64) & (_MORE - 1)) << 7 * place
    return values


def _shares(runs: NDArray[np.integer], labels: Sequence[str]) -> tuple[Share, ...]:
    """The shares of the classes in a whole map."""
    counts = np.bincount(runs[::2], runs[1::2])
    return shares_of(counts.astype(np.int64), labels)
