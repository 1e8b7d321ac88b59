"""One output for each level of a pyramid, with boxes that are still to be decoded, or all levels in one."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING, NamedTuple

from shared.tasks.detection.reading.dense import Dense, Head

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np
    from numpy.typing import NDArray

    from shared.engines.half import Tensors
    from shared.network.partition import Shape


class Level(NamedTuple):
    """One output of a pyramid."""

    output: int
    channels: int
    rows: int
    columns: int
    stride: tuple[float, float]
    """Pixels of the input for one place: across, down."""


def levels_of(shapes: Sequence[Shape], size: tuple[int, int]) -> list[Level]:
    """The levels that outputs (channels, h, w) are, from the finest.

    `size` is the input's (height, width). Raises ValueError for outputs of other shapes.
    """
    found = []
    for output, shape in enumerate(shapes):
        if len(shape) != 3:
            raise ValueError(f"output {output} has the shape {shape}, and is no level of a pyramid")
        channels, rows, columns = shape
        stride = size[1] / columns, size[0] / rows
        if min(stride) < 1 or abs(stride[0] - stride[1]) >= 0.3 * max(stride):
            raise ValueError(f"output {output} has the shape {shape}, not the aspect of the input {size}")
        found.append(Level(output, channels, rows, columns, stride))
    return sorted(found, key=lambda level: (-level.rows, level.output))


class Flat(NamedTuple):
    """All levels as one: A places of all levels, the finest first."""

    values: NDArray[np.float32]
    """(A, K)."""
    places: NDArray[np.float32]
    """(A, …): what is to be decoded."""
    objectness: NDArray[np.float32] | None
    grid: NDArray[np.float64]
    """(A, 2): x and y of each place."""
    strides: NDArray[np.float64]
    """(A, 2)."""


class Levels(Dense):
    """Decodes the boxes of chosen places only."""

    @abstractmethod
    def flat(self, outputs: Tensors) -> Flat:
        """One frame's outputs."""

    @abstractmethod
    def decode(self, flat: Flat, rows: NDArray[np.intp]) -> NDArray[np.float64]:
        """(n, 4) corners in pixels of the places `rows`."""

    def head(self, outputs: Tensors) -> Head:
        flat = self.flat(outputs)

        def boxes(rows: NDArray[np.intp], classes: NDArray[np.intp]) -> NDArray[np.float64]:
            del classes
            return self.decode(flat, rows)

        return Head(flat.values, boxes, flat.objectness)
