"""The task `segment`: an output says which class each pixel has."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from shared.errors import ContentError, ModelError
from shared.limits import MAX_LABELS, MAX_PICTURE_PIXELS
from shared.tasks.agreement import one_each
from shared.tasks.base import Task
from shared.tasks.options import Options
from shared.tasks.segmentation.class_map import ClassMap, class_map, parse_map
from shared.tasks.segmentation.packed import packed_map, unpacked_map

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from shared.engines.half import Tensors
    from shared.network.model import Model
    from shared.network.partition import Shape
    from shared.tasks.agreement import Agreement
    from shared.tasks.base import Answer
    from shared.tasks.spec import Activation, TaskSpec, Wanted
    from shared.wire.frame import Bytes

SHAPES = (
    "(K, h, w) a value for each of K classes, (1, h, w) of one class or not, or (h, w) the classes' numbers"
)
_LEAST = 1e-6
"""Probabilities below count as this in divergences."""
_TWO = 2
_HALF = 0.5


class Layout:
    """Which output is the map, and what its values are. Raises ValueError for options that make no sense."""

    def __init__(self, spec: TaskSpec) -> None:
        options = Options(dict(spec.options))
        self.output = options.whole("output", 0, 0, 63)
        self.numbers = options.flag("numbers", default=False)
        """Whether the values are the classes' numbers."""
        self.threshold = options.number("threshold", _HALF, 0, 1)
        """For a map of one class: the probability above which a pixel is of it."""
        options.refuse_rest()
        self.activation: Activation = spec.activation

    def check(self, shapes: Sequence[Shape]) -> int | None:
        """How many classes there are, if the shapes tell. Raises ValueError for outputs that are no map."""
        shape = shapes[self.output] if self.output < len(shapes) else ()
        rank = len(shape)
        if self.numbers:
            if rank == _TWO or (rank == _TWO + 1 and shape[0] == 1):
                return None
        elif rank == _TWO + 1:
            return max(_TWO, shape[0])
        raise ValueError(f"output {self.output} has the shape {shape}; accepted: {SHAPES}")


class Segment(Task):
    """The most probable class of each pixel."""

    name = "segment"
    divergence_unit = "KL, nats a pixel"

    def __init__(self, layout: Layout, labels: Sequence[str], size: tuple[int, int]) -> None:
        """`labels`: one for each class; `size`: (width, height) of the network's input."""
        self._layout = layout
        self._labels = labels
        self._size = size

    def answer(self, outputs: Tensors) -> ClassMap:
        layout = self._layout
        try:
            layout.check([output.shape for output in outputs])
        except ValueError as error:
            raise ContentError(f"the network's answer is no map: {error}") from None
        values = outputs[layout.output]
        if not np.isfinite(values).all():
            raise ContentError("the network's answer is not finite")
        if values.shape[-1] * values.shape[-2] > MAX_PICTURE_PIXELS:
            raise ContentError(f"a map of {values.shape} has more than {MAX_PICTURE_PIXELS} pixels")
        classes = self._classes(values)
        most = len(self._labels)
        if classes.min() < 0 or classes.max() >= most:
            raise ContentError(
                f"the network's answer has classes of {classes.min()} to {classes.max()}; accepted: 0 to {most - 1}"
            )
        return class_map(classes, self._labels, self._size)

    def nothing(self) -> ClassMap:
        return ClassMap()

    def parse(self, fields: Mapping[str, Any]) -> ClassMap:
        return parse_map(fields, self._labels, self._size)

    def pack(self, answer: Answer) -> bytes | None:
        return packed_map(answer, self._labels, self._size) if isinstance(answer, ClassMap) else None

    def unpack(self, body: Bytes) -> ClassMap:
        return unpacked_map(body, self._labels, self._size)

    def agreement(self, expected: Tensors, found: Tensors) -> Agreement:
        """The share of pixels with the same class."""
        first, second = (self._all_classes(outputs) for outputs in (expected, found))
        same = (first == second).reshape(len(first), -1)
        return one_each(same.mean(1, dtype=np.float64))

    def common(self, expected: Answer, found: Answer) -> Agreement:
        """As `agreement`; nothing is the same in maps of two sizes."""
        assert isinstance(expected, ClassMap)
        assert isinstance(found, ClassMap)
        alike = expected.size == found.size and expected.size is not None
        return one_each(np.array([(expected.array() == found.array()).mean() if alike else 0.0]))

    def divergence(self, expected: Tensors, found: Tensors) -> NDArray[np.float64]:
        """Kullback-Leibler, in nats, the mean over the pixels; numbers of classes count as certain."""
        at = self._layout.output
        rows = [
            _divergence(self._probabilities(first), self._probabilities(second))
            for first, second in zip(expected[at], found[at], strict=True)
        ]
        return np.array(rows, np.float64)

    def _all_classes(self, outputs: Tensors) -> NDArray[np.intp]:
        return np.stack([self._classes(frame) for frame in outputs[self._layout.output]])

    def _classes(self, values: NDArray[np.float32]) -> NDArray[np.intp]:
        """(h, w)."""
        if self._layout.numbers:
            return np.clip(np.rint(values), -1, MAX_LABELS).astype(np.intp).reshape(values.shape[-2:])
        if len(values) == 1:
            return (self._probability(values[0]) > self._layout.threshold).astype(np.intp)
        classes: NDArray[np.intp] = values.argmax(0)
        return classes

    def _probability(self, values: NDArray[np.float32]) -> NDArray[np.float64]:
        wide = values.astype(np.float64)
        if self._layout.activation == "none":
            return wide
        found: NDArray[np.float64] = 0.5 * (1 + np.tanh(0.5 * wide))
        return found

    def _probabilities(self, values: NDArray[np.float32]) -> NDArray[np.float64]:
        """(K, pixels)."""
        if self._layout.numbers:
            classes = np.clip(self._classes(values).ravel(), 0, len(self._labels) - 1)
            return np.eye(len(self._labels))[:, classes]
        flat = values.reshape(len(values), -1)
        if len(values) == 1:
            probability = self._probability(flat)
            return np.concatenate([1 - probability, probability])
        if self._layout.activation == "softmax":
            wide = flat.astype(np.float64)
            wide -= wide.max(0)
            np.exp(wide, out=wide)
        else:
            wide = np.maximum(self._probability(flat), _LEAST)
        wide /= wide.sum(0)
        return wide


class AnyMap(Segment):
    """Reads answers for those who have no network: the classes keep the names that come with them."""

    def __init__(self) -> None:
        pass

    def parse(self, fields: Mapping[str, Any]) -> ClassMap:
        return parse_map(fields, None, None)

    def pack(self, answer: Answer) -> None:
        """None: it does not say what it covers of which input."""
        del answer

    def unpack(self, body: Bytes) -> ClassMap:
        """Raises ValueError: neither names nor the input's size travel."""
        raise ValueError(f"{len(body)} bytes of a map, whose names and place only its network tells")


def make_segment(model: Model, wanted: Wanted) -> Segment:
    """The task of a network. Raises ModelError for options that make no sense."""
    del wanted
    try:
        layout = Layout(model.task)
    except ValueError as error:
        raise ModelError(f"{model.name}: its task segment: {error}") from None
    return Segment(layout, model.labels, (model.recipe.width, model.recipe.height))


def _divergence(p: NDArray[np.float64], q: NDArray[np.float64]) -> float:
    p, q = (np.clip(each, _LEAST, 1) for each in (p, q))
    return max(0.0, float((p * np.log(p / q)).sum(0).mean()))
