"""One output that is a grid of cells, with an objectness, a box and K class scores in the channels of each."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shared.tasks.detection.reading.dense import Dense, Head
from shared.tasks.detection.reading.evidence import are_probabilities
from shared.tasks.detection.reading.geometry import bounded

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from shared.engines.half import Tensors
    from shared.network.partition import Shape
    from shared.tasks.seen import Seen
    from shared.tasks.spec import Option

_CLASSES = 5
"""The channel of the first class."""
_LARGEST_STRIDE = 64


class Fastestdet(Dense):
    """FastestDet (github.com/dog-qiuqiu/FastestDet): the centre is tanh of two channels from its cell's corner, in cells; the sides
    are sigmoid of two, in pictures; the score is objectness ^ 0.6 x class ^ 0.4.
    """

    name = "fastestdet"
    shapes = "(5 + K, h, w): objectness, logits of the centre's offset x, y (tanh) and of the sides w, h (sigmoid), K class scores"
    powers = (0.6, 0.4)

    @classmethod
    def recognise(cls, seen: Seen) -> Mapping[str, Option] | None:
        if len(seen.shapes) != 1 or len(seen.shapes[0]) != 3:
            return None
        channels, rows, columns = seen.shapes[0]
        if channels <= _CLASSES or seen.classes not in (0, channels - _CLASSES):
            return None
        stride = seen.size[0] / rows
        if stride != seen.size[1] / columns or not 1 < stride <= _LARGEST_STRIDE:
            return None
        (values,) = seen.samples
        if are_probabilities(values[:, 1:_CLASSES]) or not are_probabilities(values[:, :1]):
            return None
        if not are_probabilities(values[:, _CLASSES:]):
            return None
        return {"activation": "none"}

    def check(self, shapes: Sequence[Shape]) -> int | None:
        if len(shapes) != 1 or len(shapes[0]) != 3 or shapes[0][0] <= _CLASSES:
            raise ValueError(f"one output of three dimensions and more than {_CLASSES} channels is expected")
        return self.classes_of(shapes[0][0] - _CLASSES)

    def head(self, outputs: Tensors) -> Head:
        (output,) = outputs
        rows, columns = output.shape[1:]
        flat = output.reshape(len(output), -1)

        def boxes(at: NDArray[np.intp], classes: NDArray[np.intp]) -> NDArray[np.float64]:
            del classes
            values = flat[1:_CLASSES, at].T.astype(np.float64)
            cells = np.array([columns, rows], np.float64)
            middle = (np.stack([at % columns, at // columns], axis=1) + np.tanh(values[:, :2])) / cells
            half = 0.25 * (1 + np.tanh(0.5 * values[:, 2:]))  # half a sigmoid
            height, width = self.setting.size
            scale = np.array([width, height] * 2, np.float64)
            return bounded(np.concatenate([middle - half, middle + half], axis=1) * scale, self.setting.size)

        return Head(flat[_CLASSES:].T, boxes, flat[0])
