"""The models of shared/codecs/calibrated/inter/tables.py, fitted to frames that follow each other.

For each pass, context and class that a symbol's own frame gives: how often it was not zero. For each kind and previous magnitude: how
large it was. All are counts, drawn towards more general ones where little was counted.
"""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING, Any

import numpy as np

from edge.calibration.fitting.magnitudes import drawn, frequencies
from shared.codecs.calibrated.context_model import CLASSES, Canvas, kinds_of
from shared.codecs.calibrated.entropy import SCALE
from shared.codecs.calibrated.grid import grid_shape, to_grid
from shared.codecs.calibrated.inter.history import CONTEXTS, UNRESTS
from shared.codecs.calibrated.inter.tables import PREVIOUS, PREVIOUS_CLASS, SIGNS, context_index, sign_classes
from shared.codecs.calibrated.native.reference import NumpyModel

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from shared.codecs.calibrated.context_model import CodingPass
    from shared.codecs.calibrated.inter.history import History

    Runs = Sequence[Sequence[NDArray[np.float32]]]
    """Tensors of frames that follow each other, several times."""

_LEAST_ODDS, _MOST_ODDS = 1 / 16000, 400.0
_CELLS = UNRESTS * CONTEXTS * CLASSES
_PRIOR = 12.0
_TABLE_PRIOR = 30.0
STICKY = (0.0, 0.5, 0.5)
"""How sticky the symbols are that are counted; an edge may choose any."""


def fit_following(
    arrays: Mapping[str, NDArray[Any]], about: Mapping[str, str], shape: tuple[int, ...], runs: Runs
) -> dict[str, NDArray[Any]]:
    """`fit_inter` to tensors of this shape, by their other arrays and what a profile says of them in words."""
    levels, groups, signed, pooled = (int(about[key]) for key in ("levels", "groups", "signed", "pooled"))
    if pooled:
        shape = grid_shape(shape)[2:]
        runs = [[to_grid(tensor).mean((0, 1)) for tensor in run] for run in runs]
    model = NumpyModel(arrays, shape=shape, levels=levels, groups=groups, signed=bool(signed))
    return fit_inter(model, arrays, runs)


def ladder() -> NDArray[np.uint16]:
    """(CLASSES,) probabilities in 65536ths, evenly spaced in log-odds: what is known from the frame before is surer than what is not."""
    odds = np.exp(np.linspace(np.log(_LEAST_ODDS), np.log(_MOST_ODDS), CLASSES))
    found: NDArray[np.float64] = np.round(SCALE * odds / (1 + odds))
    return found.astype(np.uint16)


def fit_inter(
    model: NumpyModel,
    arrays: Mapping[str, NDArray[Any]],
    runs: Runs,
    sticky: Sequence[float] = STICKY,
) -> dict[str, NDArray[Any]]:
    """The arrays `inter.…` of one tensor, from `runs` of what travels of it in frames that follow each other.

    `arrays` are the tensor's others, and `model` is made of them. Their symbols are those of one of `sticky` each, by turns.
    """
    counts = _Counts(model, kinds_of(arrays, "magnitude_kind", model.grid) if model.levels > 2 else None)
    for run, steps in zip(runs, itertools.cycle(sticky), strict=False):
        history = None
        for tensor in run:
            symbols = model.quantise(tensor, history, steps)
            if history is not None:
                counts.add(*symbols, history)
            history = model.remember(*symbols, history)
    return counts.arrays()


class _Counts:
    def __init__(self, model: NumpyModel, kinds: NDArray[np.uint8] | None) -> None:
        self._model = model
        self._kinds = kinds
        passes = 1 + max(each.index for each in model.coder.passes)
        self._zeros = np.zeros((passes, _CELLS, 2))
        tables = 0 if kinds is None else (int(kinds.max()) + 1) * PREVIOUS
        self._sizes = np.zeros((tables, model.levels))
        self._signs = np.zeros((SIGNS, 2))

    def add(
        self, magnitudes: NDArray[np.uint8], negative: NDArray[np.uint8] | None, history: History
    ) -> None:
        """Count a frame that follows a known one."""
        coder = self._model.coder
        canvas = Canvas.of(magnitudes)
        flat = magnitudes.reshape(-1, magnitudes.shape[2])
        for current in coder.passes:
            there = np.ix_(current.positions, np.arange(current.first, current.last))
            key = context_index(current, history) * CLASSES + coder.contexts.classes(current, canvas)
            some = flat[there].ravel() > 0
            for which in (0, 1):
                self._zeros[current.index, :, which] += np.bincount(key[some == which], minlength=_CELLS)
            if negative is not None:
                self._add_signs(current, negative.reshape(flat.shape)[there].ravel()[some], history, some)
        if self._kinds is not None:
            previous = np.take(PREVIOUS_CLASS, history.magnitudes.reshape(flat.shape))
            table = np.broadcast_to(self._kinds, flat.shape) * np.intp(PREVIOUS) + previous
            found = (table * self._model.levels + flat)[flat > 0]
            self._sizes += np.bincount(found, minlength=self._sizes.size).reshape(self._sizes.shape)

    def _add_signs(
        self, current: CodingPass, negative: NDArray[np.uint8], history: History, some: NDArray[np.bool_]
    ) -> None:
        classes = sign_classes(current, history)[some].astype(np.intp)
        self._signs += np.bincount(2 * classes + negative, minlength=2 * SIGNS).reshape(SIGNS, 2)

    def arrays(self) -> dict[str, NDArray[Any]]:
        """What was counted, as a profile has it."""
        rungs = ladder()
        odds = np.log(rungs / (SCALE - rungs.astype(np.float64)))
        found: dict[str, NDArray[Any]] = {"inter.ladder": rungs}
        everywhere = self._zeros.sum(0).reshape(UNRESTS, CONTEXTS, CLASSES, 2)
        usual = _share(everywhere.sum((0, 2)), 0.5, 50.0)[:, None]
        for counts in (everywhere.sum(0), everywhere):
            usual = _share(counts, usual, _PRIOR)
        for current in self._model.coder.passes:
            share = _share(self._zeros[current.index].reshape(everywhere.shape), usual, _PRIOR)
            nearest = np.abs(np.log(share / (1 - share))[..., None] - odds).argmin(-1)
            found[f"inter.{current.index}.classes"] = nearest.astype(np.uint8)
        if self._kinds is not None:
            found["inter.magnitudes"] = self._tables()
        if self._model.signed:
            negative = _share(self._signs, 0.5, _TABLE_PRIOR)
            found["inter.signs"] = np.clip(np.round(SCALE * negative), 1, SCALE - 1).astype(np.uint16)
        return found

    def _tables(self) -> NDArray[np.uint16]:
        """(kinds, PREVIOUS, levels - 1) frequencies."""
        counts = self._sizes[:, 1:].reshape(-1, PREVIOUS, self._model.levels - 1)
        usual = (counts.sum((0, 1)) + 1) / (counts.sum() + counts.shape[2])
        of_previous = drawn(counts.sum(0), usual)
        return frequencies(drawn(counts, of_previous))


def _share(
    counts: NDArray[np.float64], usual: NDArray[np.float64] | float, prior: float
) -> NDArray[np.float64]:
    """How often, of the two numbers along the last axis, it was the second."""
    found: NDArray[np.float64] = (counts[..., 1] + prior * usual) / (counts.sum(-1) + prior)
    return np.clip(found, 1e-6, 1 - 1e-6)
