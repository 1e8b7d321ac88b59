"""The split points of a network, as both sides know them; no torch and no graph is needed for that."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared.errors import SplitPointError, suggest
from shared.limits import MAX_DIMENSION, MAX_ELEMENTS, MAX_RANK, MAX_SPLIT_POINT_BYTES, MAX_TENSORS

if TYPE_CHECKING:
    from collections.abc import Iterable, Sequence

    from numpy.typing import NDArray

    from shared.network.grid import Grid

INPUT = "input"
OUTPUT = "output"

Shape = tuple[int, ...]


@dataclass(frozen=True)
class SplitPoint:
    """One place to cut."""

    name: str
    shapes: tuple[Shape, ...]
    """The shape of each tensor that crosses (float32), without the batch dimension."""
    head_macs: int
    """Multiply-accumulate operations before the cut, for one picture."""
    tail_macs: int
    """The same after the cut."""
    grids: tuple[Grid | None, ...] = ()
    """For each tensor the grid that an int8 network rounds it to, None for one that it does not round; () where it rounds none."""

    @property
    def shape(self) -> Shape:
        """The shape of the only tensor that crosses. Raises ValueError if several do."""
        (shape,) = self.shapes
        return shape

    @property
    def elements(self) -> int:
        """Number of elements of all tensors that cross."""
        return sum(math.prod(shape) for shape in self.shapes)

    @property
    def float32_bytes(self) -> int:
        """Bytes of all tensors that cross, not encoded."""
        return 4 * self.elements

    @property
    def is_quantised(self) -> bool:
        """Whether the network itself rounds one of the tensors that cross."""
        return any(self.grids)

    def symbols(self, tensors: tuple[NDArray[Any], ...]) -> tuple[NDArray[Any], ...]:
        """A crossing (B, …) as it travels: uint8 symbols where there is a grid, else as given."""
        return tuple(
            grid.symbols(each) if grid else each for each, grid in zip(tensors, self._all_grids, strict=True)
        )

    def native(self, tensors: tuple[NDArray[Any], ...]) -> tuple[NDArray[Any], ...]:
        """A crossing (B, …), in any form, as the engine takes it: see `Grid.native`."""
        return tuple(
            grid.native(each) if grid else each for each, grid in zip(tensors, self._all_grids, strict=True)
        )

    def values(self, tensors: tuple[NDArray[Any], ...]) -> tuple[NDArray[Any], ...]:
        """A crossing (B, …) in float32, also of symbols."""
        return tuple(
            grid.values(each) if grid and each.dtype.itemsize == 1 else each
            for each, grid in zip(tensors, self._all_grids, strict=True)
        )

    @property
    def _all_grids(self) -> tuple[Grid | None, ...]:
        return self.grids or (None,) * len(self.shapes)


def fits_the_wire(name: str, shapes: Sequence[Sequence[int]]) -> bool:
    """Whether frames can carry float32 tensors of these shapes, without the batch dimension, for a split point of this name."""
    return (
        1 <= len(shapes) <= MAX_TENSORS
        and all(
            1 <= len(shape) <= MAX_RANK and all(1 <= length <= MAX_DIMENSION for length in shape)
            for shape in shapes
        )
        and sum(map(math.prod, shapes)) <= MAX_ELEMENTS
        and len(name.encode()) <= MAX_SPLIT_POINT_BYTES
    )


class Partition:
    """All split points of one network, in the network's order: `input` first, `output` last."""

    def __init__(self, points: Iterable[SplitPoint]) -> None:
        self.points = {point.name: point for point in points}

    def point(self, name: str) -> SplitPoint:
        """The split point of this name. Raises SplitPointError with the nearest names."""
        try:
            return self.points[name]
        except KeyError:
            raise SplitPointError(
                f"unknown split point {name!r}; {suggest(name, self.points)}", accepted=list(self.points)
            ) from None

    @property
    def ends(self) -> tuple[SplitPoint, SplitPoint]:
        """`input` and `output`."""
        return self.points[INPUT], self.points[OUTPUT]

    def default(self) -> SplitPoint:
        """Where to cut by default: the latest of the smallest crossings with at most 85 % of the work before it.

        A crossing counts as one of the smallest within 10 %: a vision transformer's differ by one class token. Several tensors
        are the default only where they have less than half of the elements that a single one has. A network that cannot be
        cut between its ends has `input` as its default.
        """
        inner = [point for point in self.points.values() if point.name not in (INPUT, OUTPUT)]
        if not inner:
            return self.points[INPUT]
        light = [
            point for point in inner if point.head_macs <= 0.85 * (point.head_macs + point.tail_macs)
        ] or inner
        one = _latest_of_smallest([point for point in light if len(point.shapes) == 1])
        several = _latest_of_smallest([point for point in light if len(point.shapes) > 1])
        if one and several:
            return several if 2 * several.elements < one.elements else one
        return one or several or self.points[INPUT]


def _latest_of_smallest(points: list[SplitPoint]) -> SplitPoint | None:
    smallest = min((point.elements for point in points), default=0)
    return next((point for point in reversed(points) if point.elements <= 1.1 * smallest), None)
