"""The answer of `segment`: a class for each pixel, run by run."""

from __future__ import annotations

from dataclasses import dataclass, replace
from itertools import pairwise
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from shared.limits import MAX_LABELS, MAX_PICTURE_PIXELS
from shared.tasks.base import foreign_label

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from shared.network.recipe import Recipe

MAX_RUNS = 40_000
"""Runs of one answer. A map with more is thinned out to every second, fourth, … pixel, until it has no more."""
_SEEN = 0.01
"""Share of the pixels from which a class is in the headline."""
_FAR = 1e6
_ROUNDED = 1e-6
"""Shares are rounded to so much."""


class Share(NamedTuple):
    """How much of the picture one class covers."""

    class_id: int
    label: str
    share: float
    """0 … 1."""


@dataclass(frozen=True, slots=True)
class ClassMap:
    """The answer: which class each pixel has, in the map's own resolution."""

    runs: tuple[int, ...] = ()
    """class, length, class, length, …: row by row; a run may go on in the next row."""
    size: tuple[int, int] | None = None
    """(width, height) of the map; None if the network could not answer."""
    covers: tuple[float, float, float, float] = (0.0, 0.0, 0.0, 0.0)
    """x0, y0, x1, y1: what the map covers of the picture, in its pixels; padding lies outside the picture."""
    shares: tuple[Share, ...] = ()
    """The largest first; of all pixels, before any thinning."""
    thinned: int = 1
    """Every how manieth pixel of the network's own map this one has, in both directions."""

    def fields(self) -> dict[str, Any]:
        return {
            "runs": list(self.runs),
            "size": list(self.size) if self.size else None,
            "covers": list(self.covers),
            "shares": [each._asdict() for each in self.shares],
            "thinned": self.thinned,
        }

    def headline(self) -> str:
        """The classes that cover a hundredth at least, in the order of their numbers."""
        return ", ".join(self.shows())

    def findings(self) -> list[tuple[str, float]]:
        """Each class with its share."""
        return [(each.label, each.share) for each in self.shares]

    def shows(self) -> list[str]:
        """Those of the headline."""
        return [each.label for each in sorted(self.shares) if each.share >= _SEEN]

    def in_picture(self, recipe: Recipe, size: tuple[int, int]) -> ClassMap:
        """The same, covering a part of the camera's picture. The map itself stays as it is."""
        if self.size is None:
            return self
        placed = recipe.placement(*size)
        across, down = placed.width / placed.columns, placed.height / placed.rows
        x0, y0, x1, y1 = self.covers
        corners = (
            round((x0 + placed.first_column) * across + placed.left, 2),
            round((y0 + placed.first_row) * down + placed.top, 2),
            round((x1 + placed.first_column) * across + placed.left, 2),
            round((y1 + placed.first_row) * down + placed.top, 2),
        )
        return replace(self, covers=corners)

    def array(self) -> NDArray[np.int32]:
        """The map, (height, width)."""
        width, height = self.size or (0, 0)
        pairs = np.array(self.runs, np.int32).reshape(-1, 2)
        return np.repeat(pairs[:, 0], pairs[:, 1]).reshape(height, width)


def class_map(classes: NDArray[np.integer], labels: Sequence[str], size: tuple[int, int]) -> ClassMap:
    """The answer that holds classes (h, w), for an input of `size` (width, height)."""
    shares = shares_of(np.bincount(classes.ravel()), labels)
    thinned, found = 1, classes
    while (starts := _starts(found)).size > MAX_RUNS:
        thinned *= 2
        found = classes[thinned // 2 :: thinned, thinned // 2 :: thinned]
    lengths = np.diff(starts, append=found.size)
    runs = np.stack([found.ravel()[starts], lengths], axis=1)
    return ClassMap(
        tuple(runs.ravel().tolist()),
        (found.shape[1], found.shape[0]),
        (0.0, 0.0, float(size[0]), float(size[1])),
        shares,
        thinned,
    )


def shares_of(counts: NDArray[np.integer], labels: Sequence[str]) -> tuple[Share, ...]:
    """The share of each class that has pixels: `counts` (K,). The largest first, of equal ones in class order."""
    present = [int(number) for number in np.argsort(-counts, kind="stable") if counts[number]]
    total = float(counts.sum())
    return tuple(Share(number, labels[number], round(float(counts[number]) / total, 6)) for number in present)


def parse_map(
    fields: Mapping[str, Any], labels: Sequence[str] | None, size: tuple[int, int] | None
) -> ClassMap:
    """The answer in a reply, every value checked; `labels` and `size` (width, height) of the input are this side's, if it has any.

    Raises ValueError, TypeError, KeyError, AttributeError or OverflowError.
    """
    runs, found_size, thinned = fields["runs"], fields["size"], fields["thinned"]
    if not isinstance(runs, list) or not isinstance(found_size, list) or len(found_size) != 2:
        raise TypeError("runs are a list, and so is the size, of two")
    if (
        len(runs) > 2 * MAX_RUNS
        or len(runs) % 2
        or any(type(each) is not int for each in (*runs, *found_size))
    ):
        raise ValueError(f"runs are pairs of whole numbers, at most {MAX_RUNS}")
    width, height = found_size
    classes = MAX_LABELS if labels is None else len(labels)
    if min(width, height) < 1 or width * height > MAX_PICTURE_PIXELS:
        raise ValueError(f"a map of {width}x{height}")
    if not all(0 <= each < classes for each in runs[::2]) or not all(each > 0 for each in runs[1::2]):
        raise ValueError(f"runs have classes of 0 to {classes - 1}, and lengths above 0")
    if sum(runs[1::2]) != width * height:
        raise ValueError("the runs do not fill the map")
    if type(thinned) is not int or not 1 <= thinned <= MAX_PICTURE_PIXELS:
        raise ValueError(f"a map thinned {str(thinned)[:40]} times")
    covers = fields["covers"]
    if not isinstance(covers, list) or len(covers) != 4 or not all(map(_is_place, covers)):
        raise ValueError("what the map covers is four numbers")
    if size and covers != [0, 0, *size]:
        raise ValueError(f"the map covers {covers}, not the network's input")
    x0, y0, x1, y1 = map(float, covers)
    shares = tuple(_parse_share(each, labels) for each in fields["shares"])
    if not shares or len({each.class_id for each in shares}) != len(shares):
        raise ValueError("a map has at least one class, and each once")
    if any(first.share < second.share for first, second in pairwise(shares)):
        raise ValueError("the largest share comes first")
    if abs(sum(each.share for each in shares) - 1) > len(shares) * _ROUNDED:
        raise ValueError("the shares do not sum up to 1")
    if not {each.class_id for each in shares}.issuperset(runs[::2]):
        raise ValueError("the map has classes without a share")
    if thinned == 1:
        _require_shares(shares, runs)
    return ClassMap(tuple(runs), (width, height), (x0, y0, x1, y1), shares, thinned)


def _require_shares(shares: Sequence[Share], runs: Sequence[int]) -> None:
    """Raise ValueError unless these are the shares of the classes in a whole map."""
    pixels = np.bincount(runs[::2], runs[1::2])
    present = np.flatnonzero(pixels)
    found = np.array([each.share for each in sorted(shares)])
    if [each.class_id for each in sorted(shares)] != present.tolist():
        raise ValueError("the shares are of other classes than the map has")
    if np.abs(found - pixels[present] / pixels.sum()).max() > _ROUNDED:
        raise ValueError("the shares are not those of the map")


def _parse_share(fields: Mapping[str, Any], labels: Sequence[str] | None) -> Share:
    number, share = fields["class_id"], fields["share"]
    if type(number) is not int or not 0 <= number < (MAX_LABELS if labels is None else len(labels)):
        raise ValueError(f"a class id of {str(number)[:40]}")
    if isinstance(share, bool) or not 0 <= share <= 1:
        raise ValueError(f"a share of {str(share)[:40]}")
    label = foreign_label(fields["label"]) if labels is None else labels[number]
    return Share(number, label, float(share))


def _is_place(value: Any) -> bool:
    return type(value) in (int, float) and -_FAR <= value <= _FAR


def _starts(classes: NDArray[np.integer]) -> NDArray[np.intp]:
    """Where the runs of a map begin, row by row."""
    flat = classes.ravel()
    return np.concatenate([[0], np.flatnonzero(flat[1:] != flat[:-1]) + 1])
