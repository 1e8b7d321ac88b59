"""The task `classify`: the outputs are logits, and the answer is the most probable classes."""

from __future__ import annotations

import math
from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, TypedDict

import numpy as np

from shared.errors import ContentError
from shared.tasks.base import Task

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray


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


class Classify(Task):
    """Softmax over the logits (K,) of K labelled classes."""

    name = "classify"

    def __init__(self, labels: Sequence[str], top: int) -> None:
        """`labels`: one for each class. `top`: classes per answer, at most all of them."""
        self._labels = labels
        self._top = min(top, len(labels))

    def answer(self, outputs: NDArray[np.float32]) -> Classes:
        if not np.isfinite(outputs).all():
            raise ContentError("the network's answer is not finite")
        return Classes(tuple(top_classes(outputs, self._labels, self._top)))

    def parse(self, fields: Mapping[str, Any]) -> Classes:
        top = tuple(_parse_class(each) for each in fields["top"])
        if not top:
            raise ValueError("an answer names at least one class")
        return Classes(top)

    def agreement(self, expected: NDArray[np.float32], found: NDArray[np.float32]) -> NDArray[np.float64]:
        """1 where the top class is the same, else 0."""
        same: NDArray[np.float64] = (expected.argmax(1) == found.argmax(1)).astype(np.float64)
        return same

    def divergence(self, expected: NDArray[np.float32], found: NDArray[np.float32]) -> NDArray[np.float64]:
        return divergences(expected, found)


def top_classes(logits: NDArray[np.float32], labels: Sequence[str], count: int) -> list[TopClass]:
    """The `count` most probable classes of logits (K,), by softmax, most probable first; ties in class order."""
    exponentials = np.exp(logits.astype(np.float64) - float(logits.max()))
    probabilities = exponentials / exponentials.sum()
    ranked = np.argsort(-logits, kind="stable")[:count]
    return [
        {"class_id": int(index), "label": labels[index], "probability": round(float(probabilities[index]), 6)}
        for index in ranked
    ]


def divergences(expected: NDArray[np.float32], found: NDArray[np.float32]) -> NDArray[np.float64]:
    """KL(softmax(expected) || softmax(found)) of each row of logits (n, K), in nats."""
    p, q = _log_softmax(expected), _log_softmax(found)
    result: NDArray[np.float64] = (np.exp(p) * (p - q)).sum(1)
    return np.maximum(result, 0.0)  # it is never negative, except by rounding


def _log_softmax(logits: NDArray[np.float32]) -> NDArray[np.float64]:
    shifted = logits.astype(np.float64)
    shifted -= shifted.max(1, keepdims=True)
    shifted -= np.log(np.exp(shifted).sum(1, keepdims=True))
    return shifted


def _parse_class(fields: Mapping[str, Any]) -> TopClass:
    label, probability = fields["label"], fields["probability"]
    label.encode()  # raises ValueError for lone surrogates, which cannot be written to a file or terminal
    if not 0 <= probability < math.inf:
        raise ValueError(f"a probability of {probability}")
    return {"class_id": int(fields["class_id"]), "label": label, "probability": float(probability)}
