"""Predicts how probable it is that a symbol is not zero, from the symbols already coded.

Symbols are coded in passes: one group of channels after another, and in each group first the dark, then the light squares of a
chessboard. A pass sees all earlier groups, at the same position and around it, and in its own group the dark neighbours. A
linear prediction from these (of low rank, fitted by ridge regression) and the number of neighbours in the same channel choose
one of 64 classes, each with a probability of its own.

Both sides must choose the same class on any machine, so everything here is in whole numbers: below 2^24 a float32 is exact, and
then the order in which a matrix product adds does not matter. Profiles that could exceed that bound are refused.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.codecs.calibrated.profile import require
from shared.errors import LimitError, ProfileContentError
from shared.limits import MAX_CODING_TABLES, MAX_CONTEXT_RANK

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

CLASSES = 64
EXACT = 1 << 24
MAX_MAGNITUDE = 2
"""The largest magnitude that a neighbour counts as."""
MAX_AROUND = 12 * MAX_MAGNITUDE
MAX_BESIDE = 4 * MAX_MAGNITUDE
LATENT_LIMIT = 2047
PREDICTIONS = 512
"""Levels to which the linear prediction is cut."""
OWN_KINDS = 5
OWN_KIND = np.digitize(np.arange(MAX_BESIDE + 1), (1, 2, 3, 5)).astype(np.intp)
_OWN_OFFSET = (OWN_KIND * PREDICTIONS).astype(np.int32)


@dataclass(frozen=True, eq=False)
class CodingPass:
    """Symbols that are coded together: the channels first <= c < last at some positions of the grid."""

    index: int
    first: int
    last: int
    light: bool
    ends_group: bool
    positions: NDArray[np.intp]
    """Indices into the grid, row by row."""
    bordered: NDArray[np.intp]
    """The same positions as indices into a grid with a border of one."""


class Canvas:
    """The magnitudes of one frame that are known so far, each cut to MAX_MAGNITUDE, as neighbours count."""

    def __init__(self, rows: int, columns: int, channels: int) -> None:
        self._grid = rows, columns, channels
        # A border of zeros, so that every position has eight neighbours.
        self._bordered = np.zeros((rows + 2, columns + 2, channels), np.float32)
        self._flat = self._bordered.reshape(-1, channels)
        self.around = np.zeros((rows * columns, channels), np.float32)
        """(positions, channels): the sum of the eight neighbours, the four nearest twice, for the groups that are complete."""

    @classmethod
    def of(cls, magnitudes: NDArray[np.uint8], around: NDArray[np.uint8] | None = None) -> Canvas:
        """A complete canvas, from magnitudes (rows, columns, channels), and from the sums `around` them if they are known."""
        canvas = cls(*magnitudes.shape)
        np.minimum(magnitudes, MAX_MAGNITUDE, out=canvas._bordered[1:-1, 1:-1], casting="unsafe")
        if around is None:
            canvas._complete(0, magnitudes.shape[2])
        else:
            canvas.around[:] = around
        return canvas

    def put(self, current: CodingPass, magnitudes: NDArray[np.uint8]) -> None:
        """Add a pass: `magnitudes` is (positions, channels of the pass)."""
        self._flat[current.bordered, current.first : current.last] = np.minimum(magnitudes, MAX_MAGNITUDE)
        if current.ends_group:
            self._complete(current.first, current.last)

    def before(self, current: CodingPass) -> tuple[NDArray[np.float32], NDArray[np.float32]]:
        """(positions, earlier channels) twice: the magnitudes at each position, and the sums around it."""
        return self._flat[current.bordered, : current.first], self.around[current.positions, : current.first]

    def beside(self, current: CodingPass) -> NDArray[np.float32]:
        """(positions, channels of the pass): the sum of the four nearest neighbours in the pass's own channels."""
        own, width = self._flat[:, current.first : current.last], self._grid[1] + 2
        at = current.bordered
        total: NDArray[np.float32] = own[at - 1]
        total += own[at + 1]
        total += own[at - width]
        total += own[at + width]
        return total

    def seen(self, current: CodingPass, beside: NDArray[np.float32] | None) -> NDArray[np.float32]:
        """(positions, inputs): all that the pass is predicted from. `beside`: what the method gives for a light pass, None for a dark one."""
        parts = [*self.before(current), *(() if beside is None else (beside,))]
        return np.concatenate(parts, axis=1)

    def _complete(self, first: int, last: int) -> None:
        v = self._bordered[:, :, first:last]
        sides = v[:, :-2] + v[:, 2:]  # left and right; its outer rows hold the corners
        total = sides[1:-1] + v[:-2, 1:-1]
        total += v[2:, 1:-1]
        total *= 2
        total += sides[:-2]
        total += sides[2:]
        self.around[:, first:last] = total.reshape(-1, last - first)


def passes_of(rows: int, columns: int, channels: int, groups: int) -> list[CodingPass]:
    """All passes in coding order. Groups are ranges of channels of about equal size."""
    positions = np.arange(rows * columns)
    row, column = np.divmod(positions, columns)
    bordered = (row + 1) * (columns + 2) + column + 1
    squares = [(light, np.flatnonzero((row + column) % 2 == light)) for light in (False, True)]
    squares = [(light, chosen) for light, chosen in squares if len(chosen)]
    bounds = [channels * group // groups for group in range(groups + 1)]
    return [
        CodingPass(
            2 * group + light,
            bounds[group],
            bounds[group + 1],
            light,
            light is squares[-1][0],
            chosen,
            bordered[chosen],
        )
        for group in range(groups)
        for light, chosen in squares
    ]


@dataclass(frozen=True, eq=False)
class Weights:
    """The linear prediction of one pass, whole numbers in float32. I: what `Canvas.seen` gives; r: its rank; C: its own channels."""

    down: NDArray[np.float32]  # (I, r)
    up: NDArray[np.float32]  # (r, C)
    bias: NDArray[np.float32]  # (C,)
    latent_shift: float
    shift: float

    @classmethod
    def of(cls, arrays: Mapping[str, NDArray[Any]], current: CodingPass) -> Weights:
        """From a profile's arrays. Raises ProfileContentError, also if a sum could be too large to be exact."""
        name, before, own = f"context.{current.index}.", current.first, current.last - current.first
        up = require(arrays, name + "up", np.int16, (None, own))
        rank, most = up.shape[0], min(MAX_CONTEXT_RANK, own)
        if rank > most:  # what is above the channels' number predicts nothing more
            raise ProfileContentError(f"a profile's contexts of rank {rank}", accepted={"max_rank": most})
        rows = {"same": before, "around": before, "beside": own if current.light else 0}
        parts = [require(arrays, name + key, np.int16, (count, rank)) for key, count in rows.items()]
        shifts = require(arrays, name + "shift", np.uint8, (2,))
        if shifts.max() > 24:
            raise ProfileContentError(f"a profile's {name}shift is above 24")
        weights = cls(
            down=np.concatenate(parts).astype(np.float32),
            up=up.astype(np.float32),
            bias=require(arrays, name + "bias", np.int32, (own,)).astype(np.float32),
            latent_shift=float(shifts[0]),
            shift=float(shifts[1]),
        )
        weights._check(np.repeat((MAX_MAGNITUDE, MAX_AROUND, MAX_BESIDE), list(rows.values())))
        return weights

    def predict(self, seen: NDArray[np.float32]) -> NDArray[np.int32]:
        """(positions, C) in 0 … PREDICTIONS - 1, from (positions, I) of one frame or of several."""
        latent: NDArray[np.float32] = seen @ self.down
        latent *= np.float32(2.0**-self.latent_shift)
        np.floor(latent, out=latent)
        np.clip(latent, -LATENT_LIMIT, LATENT_LIMIT, out=latent)
        prediction = latent @ self.up
        prediction += self.bias
        prediction *= np.float32(2.0**-self.shift)
        np.clip(prediction, 0, PREDICTIONS - 1, out=prediction)
        return prediction.astype(np.int32)

    def _check(self, most: NDArray[np.intp]) -> None:
        """Raise ProfileContentError if a sum could exceed 2^24, above which float32 is no longer exact. `most`: the largest inputs."""
        latent = (np.abs(self.down.astype(np.float64)) * most[:, None]).sum(0)
        final = np.abs(self.up.astype(np.float64)).sum(0) * LATENT_LIMIT + np.abs(
            self.bias.astype(np.float64)
        )
        if np.max(latent, initial=0) >= EXACT or np.max(final, initial=0) >= EXACT:
            raise ProfileContentError("a profile's context weights are too large to be exact")


def kinds_of(arrays: Mapping[str, NDArray[Any]], name: str, grid: tuple[int, int, int]) -> NDArray[np.uint8]:
    """(positions or 1, channels): the kind of each symbol, by its channel alone or by its position too. Raises ProfileContentError."""
    by_position = arrays.get(name, np.empty(0)).ndim == 3
    return require(arrays, name, np.uint8, grid if by_position else grid[2:]).reshape(-1, grid[2])


def of_pass(kinds: NDArray[Any], current: CodingPass) -> NDArray[Any]:
    """(positions of the pass or 1, channels of the pass): what `kinds_of` gave, of one pass."""
    own = kinds[:, current.first : current.last]
    return own if len(own) == 1 else own[current.positions]


class ContextModel:
    """Chooses the class of every symbol of a pass."""

    def __init__(
        self, arrays: Mapping[str, NDArray[Any]], passes: list[CodingPass], grid: tuple[int, int, int]
    ) -> None:
        """`arrays`: those of a profile. Raises ProfileContentError."""
        self._weights = {current.index: Weights.of(arrays, current) for current in passes}
        kinds = kinds_of(arrays, "channel_kind", grid).astype(np.int32)
        self._kinds, self._tables = {}, {}
        for current in passes:
            self._kinds[current.index] = of_pass(kinds, current) * (OWN_KINDS * PREDICTIONS)
            table = require(
                arrays, f"context.{current.index}.classes", np.uint8, (None, OWN_KINDS, PREDICTIONS)
            )
            if len(table) > MAX_CODING_TABLES:
                accepted = {"max_kinds": MAX_CODING_TABLES}
                raise LimitError(f"a profile of {len(table)} kinds of symbols", accepted=accepted)
            if kinds.max() >= len(table) or table.max() >= CLASSES:
                raise ProfileContentError("a profile's context classes are out of range")
            self._tables[current.index] = table.ravel()

    def classes(self, current: CodingPass, canvas: Canvas) -> NDArray[np.uint8]:
        """The class of each symbol of the pass, (positions x channels,)."""
        beside = canvas.beside(current) if current.light else None
        index = self._weights[current.index].predict(canvas.seen(current, beside))
        index += self._kinds[current.index]
        if beside is not None:
            index += np.take(_OWN_OFFSET, beside.astype(np.uint8))
        return np.take(self._tables[current.index], index.ravel())
