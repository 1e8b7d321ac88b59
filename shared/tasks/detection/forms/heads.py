"""The raw heads of YOLO with anchors: an output for each level, with several boxes at every place."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from shared.tasks.detection.reading.geometry import bounded
from shared.tasks.detection.reading.levels import Flat, Level, Levels, levels_of
from shared.tasks.detection.reading.pyramids import grid

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from shared.engines.half import Tensors
    from shared.network.partition import Shape
    from shared.tasks.detection.reading.form import Setting
    from shared.tasks.options import Options
    from shared.tasks.seen import Seen
    from shared.tasks.spec import Option

_BOX = 5
"""Channels of a box before its classes: x, y, w, h, objectness."""
_COCO = "10:13:16:30:33:23:30:61:62:45:59:119:116:90:156:198:373:326"
"""Sides in pixels of three anchors for each of three levels, the finest first: those of YOLOv3 and of YOLOv5."""
_USUAL = 3
_MOST_NUMBERS = 2 * 8 * 9


class AnchorHeads(Levels):
    """`anchors`: width and height of each anchor in pixels, all of the finest level first."""

    wide: ClassVar[bool]
    """Whether the centre moves up to a whole place further, and the sides are squares of sigmoids, not exponentials."""

    def __init__(self, options: Options, setting: Setting) -> None:
        super().__init__(options, setting)
        numbers = options.numbers("anchors", _COCO, _MOST_NUMBERS)
        if not numbers or len(numbers) % 2 or min(numbers) <= 0:
            raise ValueError(f"anchors of {len(numbers)} numbers; accepted: pairs of numbers above 0")
        self._anchors = np.array(numbers, np.float64).reshape(-1, 2)

    @classmethod
    def recognise(cls, seen: Seen) -> Mapping[str, Option] | None:
        last = len(seen.shapes[0]) == 4
        try:
            levels = levels_of([_as_level(shape) for shape in seen.shapes], seen.size)
        except ValueError:
            return None
        strides = [level.stride[0] for level in levels]
        if len(levels) != _USUAL or strides != [8, 16, 32] or len({level.channels for level in levels}) != 1:
            return None
        channels, rest = divmod(levels[0].channels, _USUAL)
        if (
            rest
            or channels <= _BOX
            or seen.classes not in (0, channels - _BOX)
            or (not last and not seen.classes)
        ):
            return None
        return {"activation": "sigmoid"} if cls.wide else None

    def check(self, shapes: Sequence[Shape]) -> int | None:
        levels = levels_of([_as_level(shape) for shape in shapes], self.setting.size)
        anchors, rest = divmod(len(self._anchors), len(levels))
        if rest:
            raise ValueError(f"{len(self._anchors)} anchors for {len(levels)} levels")
        for level in levels:
            channels, rest = divmod(level.channels, anchors)
            if rest or channels <= _BOX or channels * anchors != levels[0].channels:
                raise ValueError(f"{level.channels} channels for {anchors} anchors at every place")
        return self.classes_of(levels[0].channels // anchors - _BOX)

    def flat(self, outputs: Tensors) -> Flat:
        levels = levels_of([_as_level(output.shape) for output in outputs], self.setting.size)
        anchors = len(self._anchors) // len(levels)
        rows = np.concatenate([_rows(outputs[level.output], level, anchors) for level in levels])
        places = [np.tile(grid(level.rows, level.columns), (anchors, 1)) for level in levels]
        strides = [np.tile(level.stride, (anchors * level.rows * level.columns, 1)) for level in levels]
        return Flat(rows[:, _BOX:], rows[:, :4], rows[:, 4], np.concatenate(places), np.concatenate(strides))

    def decode(self, flat: Flat, rows: NDArray[np.intp]) -> NDArray[np.float64]:
        values = flat.places[rows].astype(np.float64)
        middle, sides = values[:, :2], values[:, 2:]
        middle = 0.5 * (1 + np.tanh(0.5 * middle))
        with np.errstate(over="ignore"):
            if self.wide:
                middle = 2 * middle - 0.5
                sides = (1 + np.tanh(0.5 * sides)) ** 2
            else:
                sides = np.exp(sides)
        middle = (middle + flat.grid[rows]) * flat.strides[rows]
        half = sides * self._anchors[self._numbers(flat)[rows]] / 2
        return bounded(np.concatenate([middle - half, middle + half], axis=1), self.setting.size)

    def _numbers(self, flat: Flat) -> NDArray[np.intp]:
        """(A,): which anchor each place has: those of one anchor follow each other, level by level."""
        _, starts, counts = np.unique(flat.strides[:, 0], return_index=True, return_counts=True)
        order = np.argsort(starts)
        each = len(self._anchors) // len(order)
        parts = [
            np.repeat(np.arange(each), counts[level] // each) + each * rank
            for rank, level in enumerate(order)
        ]
        return np.concatenate(parts)


def _as_level(shape: Shape) -> Shape:
    """(anchors, h, w, channels) as (anchors * channels, h, w)."""
    return (shape[0] * shape[3], shape[1], shape[2]) if len(shape) == 4 else shape


def _rows(output: NDArray[np.float32], level: Level, anchors: int) -> NDArray[np.float32]:
    """(anchors * places, 5 + K), anchor by anchor."""
    if output.ndim == 4:
        return output.reshape(-1, output.shape[-1])
    split = output.reshape(anchors, -1, level.rows * level.columns)
    return split.transpose(0, 2, 1).reshape(-1, split.shape[1])


class Yolov5Heads(AnchorHeads):
    """YOLOv5 to v7: xy = (2 sigmoid - 0.5 + place) stride; wh = (2 sigmoid)^2 anchor."""

    name = "yolov5-heads"
    shapes = (
        "for each level (a (5 + K), h, w) or (a, h, w, 5 + K): logits; anchors= has the sides of all anchors"
    )
    note = "its anchors are taken for those of COCO, and its scales for YOLOv5's; with others: form=yolov5-heads,anchors=…, or yolov3-heads"
    wide = True


class Yolov3Heads(AnchorHeads):
    """YOLOv3 and v4: xy = (sigmoid + place) stride; wh = exp anchor."""

    name = "yolov3-heads"
    shapes = Yolov5Heads.shapes
    wide = False
