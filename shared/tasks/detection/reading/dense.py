"""Forms before any selection: a box at every place, with a value for each class."""

from __future__ import annotations

import math
from abc import abstractmethod
from typing import TYPE_CHECKING, ClassVar, NamedTuple

import numpy as np

from shared.tasks.detection.candidates import MAX_CANDIDATES, Candidates, best
from shared.tasks.detection.reading.evidence import activation_of
from shared.tasks.detection.reading.form import Form

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from shared.engines.half import Tensors
    from shared.tasks.detection.reading.form import Setting
    from shared.tasks.options import Options
    from shared.tasks.spec import Activation

_SLACK = 1e-3
"""By so much less than the threshold may values be that are looked at, as their scores are computed more precisely afterwards."""


class Head(NamedTuple):
    """What the outputs say of A places."""

    values: NDArray[np.float32]
    """(A, K) of the classes, in any memory order, the background's among them if there is one."""
    boxes: Callable[[NDArray[np.intp], NDArray[np.intp]], NDArray[np.float64]]
    """(n,) places and (n,) classes -> (n, 4) corners in pixels."""
    objectness: NDArray[np.float32] | None = None
    """(A,): whether there is anything."""


class Dense(Form):
    """Score of a place for a class: objectness ^ `objectness_power` x class ^ `class_power`, both as probabilities."""

    per_box: ClassVar[str] = "best"
    """`best`: a place is a candidate for its most probable class; `all`: for every class above the threshold."""
    powers: ClassVar[tuple[float, float]] = (1.0, 1.0)

    def __init__(self, options: Options, setting: Setting) -> None:
        super().__init__(options, setting)
        self._only_best = options.choice("per_box", ("best", "all"), self.per_box) == "best"
        self._background = options.whole("background", _NONE, _NONE, 0)
        first, second = self.powers
        self._objectness_power = options.number("objectness_power", first, 0.01, 10)
        self._class_power = options.number("class_power", second, 0.01, 10)

    @abstractmethod
    def head(self, outputs: Tensors) -> Head:
        """What one frame's outputs say, without computing anything for all places if that can be helped."""

    def candidates(self, outputs: Tensors, threshold: float) -> Candidates:
        head = self.head(outputs)
        values = self._foreground(head.values)
        if head.objectness is not None:
            least = threshold ** (1 / self._objectness_power)
            kept = np.flatnonzero(head.objectness > self._raw(least, "objectness"))
            scores = self._scores(head.values[kept], head.objectness[kept])
        elif self.setting.activation == "softmax":
            kept = self._hopeful(head.values, threshold)
            scores = self._scores(head.values[kept], None)
        else:
            return self._from_values(head, values, threshold)
        rows, classes = _above(scores, threshold)
        return self._chosen(head, kept[rows], classes, scores[rows, classes])

    def _from_values(self, head: Head, values: NDArray[np.float32], threshold: float) -> Candidates:
        """Without looking twice at most values: each alone says whether its score is above the threshold."""
        least = threshold ** (1 / self._class_power)
        rows, classes = _above(values, self._raw(least, "class"))
        scores = self._probabilities(values[rows, classes]) ** self._class_power
        kept = np.flatnonzero(scores > threshold)
        return self._chosen(head, rows[kept], classes[kept], scores[kept])

    def _chosen(
        self,
        head: Head,
        rows: NDArray[np.intp],
        classes: NDArray[np.intp],
        scores: NDArray[np.float64],
    ) -> Candidates:
        order = best(scores, 4 * MAX_CANDIDATES)
        if self._only_best:
            _, first = np.unique(rows[order], return_index=True)
            order = order[np.sort(first)]
        order = order[:MAX_CANDIDATES]
        rows, classes = rows[order], classes[order]
        return Candidates(head.boxes(rows, classes), scores[order], classes)

    def activation_of(self, outputs: Tensors) -> Activation:
        """What makes probabilities of the classes' values in one frame's outputs, as far as these tell."""
        values = self.head(outputs).values
        return activation_of(values, exclusive=self._background != _NONE)

    def densities(self, outputs: Tensors) -> tuple[NDArray[np.float64], Head]:
        """(A, K) the score of every place for every class, and where the boxes are."""
        head = self.head(outputs)
        return self._scores(head.values, head.objectness), head

    def _scores(
        self, values: NDArray[np.float32], objectness: NDArray[np.float32] | None
    ) -> NDArray[np.float64]:
        if self.setting.activation == "softmax":
            scores = _softmax(values)[:, _FOREGROUND[self._background]]
        else:
            scores = self._probabilities(self._foreground(values))
        if self._class_power != 1:
            scores **= self._class_power
        if objectness is not None:
            activated = _sigmoid(objectness) if self.setting.activation != "none" else _clipped(objectness)
            scores *= (activated**self._objectness_power)[:, None]
        return scores

    def _probabilities(self, values: NDArray[np.float32]) -> NDArray[np.float64]:
        return _sigmoid(values) if self.setting.activation == "sigmoid" else _clipped(values)

    def _foreground(self, values: NDArray[np.float32]) -> NDArray[np.float32]:
        return values[:, _FOREGROUND[self._background]]

    @property
    def first_class(self) -> int:
        """The column of the first class."""
        return 1 if self._background == 0 else 0

    def classes_of(self, columns: int) -> int:
        """How many classes `columns` values stand for."""
        return columns - (self._background != _NONE)

    def _raw(self, probability: float, what: str) -> float:
        """The value at which a probability is a little below `probability`."""
        if self.setting.activation == "none" or (what == "class" and self.setting.activation == "softmax"):
            return probability - _SLACK
        return _logit(probability) - _SLACK

    def _hopeful(self, values: NDArray[np.float32], threshold: float) -> NDArray[np.intp]:
        """The rows in which a class may have a probability above `threshold`: against the background alone it is no less."""
        if self._background == _NONE:
            return np.arange(len(values))
        behind = values[:, self._background]
        ahead = self._foreground(values).max(1) - behind
        return np.flatnonzero(ahead > _logit(threshold ** (1 / self._class_power)) - _SLACK)


_NONE = -2
_FOREGROUND = {_NONE: slice(None), 0: slice(1, None), -1: slice(None, -1)}
"""The columns that are classes, by that of the background: the first, the last, or none."""


def _above(values: NDArray[np.floating], least: float) -> tuple[NDArray[np.intp], NDArray[np.intp]]:
    """The rows and columns of values (A, K) above `least`."""
    above = values > least  # in the memory order of values
    if above.flags.c_contiguous:
        rows, columns = np.divmod(np.flatnonzero(above.ravel()), above.shape[1])
        return rows, columns
    columns, rows = np.divmod(np.flatnonzero(above.T.ravel()), above.shape[0])
    return rows, columns


def _sigmoid(values: NDArray[np.floating]) -> NDArray[np.float64]:
    found: NDArray[np.float64] = 0.5 * (1 + np.tanh(0.5 * values.astype(np.float64)))
    return found


def _softmax(values: NDArray[np.floating]) -> NDArray[np.float64]:
    shifted = values.astype(np.float64)
    shifted -= shifted.max(1, keepdims=True)
    np.exp(shifted, out=shifted)
    shifted /= shifted.sum(1, keepdims=True)
    return shifted


def _clipped(values: NDArray[np.floating]) -> NDArray[np.float64]:
    """Rounding takes probabilities a little below 0 and above 1."""
    return np.clip(values.astype(np.float64), 0, 1)


def _logit(probability: float) -> float:
    if probability <= 0:
        return -math.inf
    return math.log(probability / (1 - probability)) if probability < 1 else math.inf
