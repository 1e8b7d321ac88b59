"""The task `classify`: the first output has one value for each class, and the answer is the most probable classes."""

from __future__ import annotations

import math
import struct
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np

from shared.errors import ContentError
from shared.limits import MAX_LABELS
from shared.tasks.agreement import LEAST, likeness, log_softmax, one_each, sigmoid, sum_of_twos
from shared.tasks.base import MAX_SHORT, Task, foreign_label, packed_score, score_of
from shared.tasks.kind import Kind
from shared.tasks.options import Options
from shared.tasks.spec import ACTIVATIONS, TaskSpec

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from shared.engines.half import Tensors
    from shared.network.model import Model
    from shared.network.partition import Shape
    from shared.network.recipe import Recipe
    from shared.tasks.agreement import Agreement
    from shared.tasks.base import Answer
    from shared.tasks.seen import Seen
    from shared.tasks.spec import Activation, Option, Wanted
    from shared.wire.frame import Bytes

_HALF = 0.5
_SUM_TOLERANCE = 0.01
_ROW = struct.Struct("<HH")  # a class in binary, and its probability
_MOST, _ROUNDED = 1.01, 1e-6
"""What a probability may be where the graph ends with them, by its rounding; by how much those in answers are rounded."""


class TopClass(TypedDict):
    """One class of an answer."""

    class_id: int
    label: str
    probability: float


@dataclass(frozen=True, slots=True)
class Classes:
    """The answer: the most probable classes, most probable first; none if the network could not answer."""

    top: tuple[TopClass, ...] = ()

    def fields(self) -> dict[str, Any]:
        return {"top": list(self.top)}

    def headline(self) -> str:
        return self.top[0]["label"] if self.top else ""

    def findings(self) -> list[tuple[str, float]]:
        return [(each["label"], each["probability"]) for each in self.top]

    def shows(self) -> list[str]:
        return [each["label"] for each in self.top[:1]]

    def in_picture(self, recipe: Recipe, size: tuple[int, int]) -> Classes:
        del recipe, size
        return self


class Classify(Task):
    """Softmax or sigmoid over the values (K, …) of K classes, or neither if they are probabilities already."""

    name = "classify"
    divergence_unit = "KL, nats"

    def __init__(self, labels: Sequence[str] | None, top: int, activation: Activation = "softmax") -> None:
        """`labels`: one for each class; None if only answers are read, which then keep the names that they came with.

        `top`: classes per answer, at most all of them. `activation`: what makes probabilities of the values. A single class has
        no other to compare with, so it gets a sigmoid, not a softmax, which would always be 1.
        """
        self._labels = labels
        self._top = MAX_LABELS if labels is None else min(top, len(labels))
        single = labels is not None and len(labels) == 1
        self.activation: Activation = "sigmoid" if single and activation == "softmax" else activation
        """What is used of softmax, sigmoid and none."""

    def answer(self, outputs: Tensors) -> Classes:
        values = outputs[0].reshape(-1)
        if not np.isfinite(values).all():
            raise ContentError("the network's answer is not finite")
        if self._labels is None or len(values) != len(self._labels):
            raise ContentError(f"the answer has {len(values)} values, one for each class is expected")
        if self.activation == "none" and values.max() > _MOST:
            raise ContentError(f"a probability of {values.max():.6g}: the task needs an activation, not none")
        return Classes(tuple(top_classes(values, self._labels, self._top, self.activation)))

    def nothing(self) -> Classes:
        return Classes()

    def parse(self, fields: Mapping[str, Any]) -> Classes:
        return self._read(fields["top"], _ROUNDED)

    def pack(self, answer: Answer) -> bytes | None:
        """A row of class and probability for each class; None for no class, or one beyond MAX_SHORT."""
        top = answer.top if isinstance(answer, Classes) else ()
        if not top or any(each["class_id"] > MAX_SHORT for each in top):
            return None
        return b"".join(_ROW.pack(each["class_id"], packed_score(each["probability"])) for each in top)

    def unpack(self, body: Bytes) -> Classes:
        if self._labels is None or len(body) % _ROW.size:
            raise ValueError(f"{len(body)} bytes; {_ROW.size} for each class, whose names are this side's")
        top = [{"class_id": row[0], "probability": score_of(row[1])} for row in _ROW.iter_unpack(body)]
        return self._read(top, 0.5 / MAX_SHORT + _ROUNDED)

    def _read(self, given: Any, rounded: float) -> Classes:
        """The answer that has these classes, whose probabilities were rounded by so much."""
        if not isinstance(given, list) or not 1 <= len(given) <= self._top:
            raise ValueError(f"the classes are a list of 1 to {self._top}")
        top = tuple(map(self._parse_class, given))
        probabilities = [each["probability"] for each in top]
        named = {each["class_id"] for each in top}
        if len(named) < len(top) or probabilities != sorted(probabilities, reverse=True):
            raise ValueError("a class is named once, and the most probable one comes first")
        exclusive = self._labels is not None and self.activation == "softmax"
        if exclusive and sum(probabilities) > 1 + len(top) * rounded:
            raise ValueError(f"probabilities that sum up to {sum(probabilities)}")
        return Classes(top)

    def _parse_class(self, fields: Mapping[str, Any]) -> TopClass:
        """The class that is meant, by the name that this side has for it."""
        class_id, probability = fields["class_id"], fields["probability"]
        if type(class_id) is not int or class_id < 0:
            raise ValueError(f"a class id of {str(class_id)[:40]}")
        if isinstance(probability, bool) or not 0 <= probability <= 1:
            raise ValueError(f"a probability of {str(probability)[:40]}")
        if self._labels is None:
            label = foreign_label(fields["label"])
        elif class_id < len(self._labels):
            label = self._labels[class_id]
        else:
            raise ValueError(f"class {str(class_id)[:40]} of {len(self._labels)}")
        return {"class_id": class_id, "label": label, "probability": float(probability)}

    def agreement(self, expected: Tensors, found: Tensors) -> Agreement:
        """The top class is the same or not; a single class is the same on the same side of one half."""
        first, second = _rows(expected), _rows(found)
        if first.shape[1] == 1:
            half = _HALF if self.activation == "none" else 0.0
            same = ((first >= half) == (second >= half))[:, 0]
        else:
            same = first.argmax(1) == second.argmax(1)
        return one_each(same.astype(np.float64))

    def common(self, expected: Answer, found: Answer) -> Agreement:
        """How much of the probabilities is the same."""
        assert isinstance(expected, Classes)
        assert isinstance(found, Classes)
        first, second = (
            {each["class_id"]: each["probability"] for each in one.top} for one in (expected, found)
        )
        return one_each(np.array([likeness(first, second)]))

    def divergence(self, expected: Tensors, found: Tensors) -> NDArray[np.float64]:
        """Kullback-Leibler, in nats: of one distribution over the classes, or the sum over classes that are each one of two."""
        first, second = _rows(expected), _rows(found)
        if self.activation == "softmax":
            return divergences(first, second)
        if self.activation == "sigmoid":
            return sum_of_twos(sigmoid(first), sigmoid(second))
        p, q = (np.maximum(values.astype(np.float64), 0) for values in (first, second))
        if p.shape[1] > 1 and np.allclose(p.sum(1), 1, atol=_SUM_TOLERANCE):
            return divergences(np.log(np.maximum(p, LEAST)), np.log(np.maximum(q, LEAST)))
        return sum_of_twos(p, q)


def top_classes(
    values: NDArray[np.float32], labels: Sequence[str], count: int, activation: Activation = "softmax"
) -> list[TopClass]:
    """The `count` most probable classes of values (K,), most probable first; ties in class order."""
    if activation == "softmax":
        exponentials = np.exp(values.astype(np.float64) - float(values.max()))
        probabilities = exponentials / exponentials.sum()
    elif activation == "sigmoid":
        probabilities = sigmoid(values)
    else:
        probabilities = np.clip(values.astype(np.float64), 0, 1)  # rounding takes some of them beyond
    kept = min(count, len(values))
    among = np.flatnonzero(values >= np.partition(values, -kept)[-kept])  # of a thousand a few are sorted
    ranked = among[np.argsort(-values[among], kind="stable")[:kept]]
    return [
        {"class_id": int(index), "label": labels[index], "probability": round(float(probabilities[index]), 6)}
        for index in ranked
    ]


def divergences(expected: NDArray[np.floating], found: NDArray[np.floating]) -> NDArray[np.float64]:
    """KL(softmax(expected) || softmax(found)) of each row of logits (n, K), in nats."""
    p, q = log_softmax(expected), log_softmax(found)
    result: NDArray[np.float64] = (np.exp(p) * (p - q)).sum(1)
    return np.maximum(result, 0.0)  # it is never negative, except by rounding


def _rows(outputs: Tensors) -> NDArray[np.float32]:
    return outputs[0].reshape(len(outputs[0]), -1)


def _make(model: Model, wanted: Wanted) -> Classify:
    return Classify(model.labels, wanted.top, model.task.activation)


def _recognise(seen: Seen) -> list[TaskSpec]:
    """One output (K,), or (K, 1, 1): the classes' values."""
    if len(seen.shapes) != 1 or not _is_vector(seen.shapes[0]):
        return []
    return [_told(seen, {})]


def _is_vector(shape: Shape) -> bool:
    return math.prod(shape) == max(shape, default=0)


def _told(seen: Seen, given: Mapping[str, Option]) -> TaskSpec:
    """The first output has to be one value for each class. Raises ValueError."""
    shape = seen.shapes[0]
    if not _is_vector(shape):
        raise ValueError(
            f"the first output has the shape {shape}; accepted: (K,), one value for each of K classes"
        )
    options = Options(given)
    usual: Activation = "sigmoid" if max(shape) == 1 else "softmax"
    wanted = options.choice("activation", ACTIVATIONS, usual if seen.activations[0] == "none" else "none")
    options.refuse_rest()
    return TaskSpec("classify", next(word for word in ACTIVATIONS if word == wanted))


CLASSIFY = Kind(
    make=_make,
    reader=lambda: Classify(None, 1),
    key="top",
    recognise=_recognise,
    told=_told,
    classes=lambda _, seen: max(seen.shapes[0]),
    assumed=lambda *_: None,
)
