"""What a profile of format 4 says of the symbols that follow a known frame: the arrays `inter.…`.

Whether a symbol is zero has been predicted from its own frame (context_model.py), as one of 64 classes. That class and the context
that the history gives choose the class that the symbol is coded with. Its magnitude has a table by its kind and by the previous
magnitude, its sign one by the previous sign.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shared.codecs.calibrated.context_model import CLASSES, CodingPass, kinds_of, of_pass
from shared.codecs.calibrated.entropy import SCALE, Alphabet
from shared.codecs.calibrated.inter.history import CONTEXTS, UNRESTS
from shared.codecs.calibrated.profile import INTER, require
from shared.errors import ProfileContentError
from shared.limits import MAX_CODING_TABLES, MAX_LEVELS

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from typing import Any

    from numpy.typing import NDArray

    from shared.codecs.calibrated.inter.history import History

PREVIOUS = 8
"""Classes of a previous magnitude: 0, 1, 2, 3, 4, up to 6, up to 9, more."""
PREVIOUS_CLASS = np.digitize(np.arange(MAX_LEVELS), (1, 2, 3, 4, 5, 7, 10)).astype(np.uint8)
SIGNS = 3
"""Classes of a previous sign: there was none, not negative, negative."""


def has_inter(arrays: Mapping[str, Any]) -> bool:
    """Whether one tensor's arrays, those of its profile's format, hold what follows a known frame."""
    return any(name.startswith(INTER) for name in arrays)


class InterTables:
    """Chooses the models of the symbols of one tensor that follow a known frame."""

    def __init__(
        self,
        arrays: Mapping[str, NDArray[Any]],
        grid: tuple[int, int, int],
        passes: Sequence[CodingPass],
        *,
        levels: int,
        signed: bool,
    ) -> None:
        """Raises ProfileContentError if the arrays cannot be used, or are more than are used."""
        names = ["inter.ladder", *(f"inter.{current.index}.classes" for current in passes)]
        names += ["inter.magnitudes"] * (levels > 2) + ["inter.signs"] * signed
        if more := sorted(name for name in arrays if name.startswith(INTER) and name not in names):
            raise ProfileContentError(f"the profile has no use for its array {more[0][:60]}", accepted=names)
        ladder = require(arrays, "inter.ladder", np.uint16, (CLASSES,)).astype(np.int64)
        self._significance = Alphabet(np.stack([SCALE - ladder, ladder], axis=1))
        self._classes = {}
        for current in passes:
            table = require(arrays, f"inter.{current.index}.classes", np.uint8, (UNRESTS, CONTEXTS, CLASSES))
            if table.max() >= CLASSES:
                raise ProfileContentError("a profile's classes of known frames are out of range")
            self._classes[current.index] = table.ravel()
        self._magnitudes: Alphabet | None = None
        self._kinds: dict[int, NDArray[np.uint8]] = {}
        if levels > 2:
            tables = require(arrays, "inter.magnitudes", np.uint16, (None, PREVIOUS, levels - 1))
            kinds = kinds_of(arrays, "magnitude_kind", grid)
            if kinds.max() >= len(tables) or len(tables) * PREVIOUS > MAX_CODING_TABLES:
                raise ProfileContentError("a profile's kinds of magnitudes are out of range")
            self._magnitudes = Alphabet(tables.reshape(-1, levels - 1).astype(np.int64))
            self._kinds = {each.index: of_pass(kinds, each) * np.uint8(PREVIOUS) for each in passes}
        self._signs: Alphabet | None = None
        if signed:
            share = require(arrays, "inter.signs", np.uint16, (SIGNS,)).astype(np.int64)
            self._signs = Alphabet(np.stack([SCALE - share, share], axis=1))

    @property
    def alphabets(self) -> list[Alphabet]:
        """All that there are."""
        return [each for each in (self._significance, self._magnitudes, self._signs) if each]

    def of_zeros(
        self, current: CodingPass, classes: NDArray[np.uint8], history: History
    ) -> tuple[NDArray[np.uint8], Alphabet]:
        """The class of each symbol of a pass, (positions x channels,), from the one that its own frame gives; and the models."""
        index = context_index(current, history)
        index *= CLASSES
        index += classes
        return np.take(self._classes[current.index], index), self._significance

    def of_magnitudes(self, current: CodingPass, history: History) -> tuple[NDArray[np.uint8], Alphabet]:
        """The table of each symbol's magnitude, and the models."""
        assert self._magnitudes is not None
        found = np.take(PREVIOUS_CLASS, _of_pass(history.magnitudes, current))
        tables = found.reshape(len(current.positions), -1) + self._kinds[current.index]
        return tables.ravel(), self._magnitudes

    def of_signs(self, current: CodingPass, history: History) -> tuple[NDArray[np.uint8], Alphabet]:
        """The class of each symbol's sign, and the models."""
        assert self._signs is not None
        return sign_classes(current, history), self._signs


def context_index(current: CodingPass, history: History) -> NDArray[np.intp]:
    """The unrest and the context of each symbol of a pass, as one number."""
    contexts = _of_pass(history.contexts, current).reshape(len(current.positions), -1).astype(np.intp)
    contexts += CONTEXTS * history.unrest.ravel()[current.positions, None].astype(np.intp)
    return contexts.ravel()


def sign_classes(current: CodingPass, history: History) -> NDArray[np.uint8]:
    """The class of each symbol's sign, 0 … SIGNS - 1."""
    assert history.negative is not None
    known = _of_pass(history.magnitudes, current) > 0
    return np.where(known, 1 + _of_pass(history.negative, current), 0).astype(np.uint8)


def _of_pass(grid: NDArray[np.uint8], current: CodingPass) -> NDArray[np.uint8]:
    flat = grid.reshape(-1, grid.shape[2])
    return flat[current.positions, current.first : current.last].ravel()
