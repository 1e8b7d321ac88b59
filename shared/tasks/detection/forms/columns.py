"""One output with a row for each box: its place, perhaps an objectness, and the classes' values, as YOLO heads have it."""

from __future__ import annotations

from typing import TYPE_CHECKING, ClassVar

import numpy as np

from shared.limits import MAX_LABELS
from shared.tasks.detection.reading.dense import Dense, Head
from shared.tasks.detection.reading.evidence import (
    activation_of,
    are_probabilities,
    follow,
    kind_by_places,
    units_of,
)
from shared.tasks.detection.reading.geometry import KINDS, UNITS, bounded, corners_of
from shared.tasks.detection.reading.pyramids import (
    MAX_LEVELS,
    STRIDES,
    centres,
    count_places,
    places,
    pyramids,
)

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from shared.engines.half import Tensors
    from shared.network.partition import Shape
    from shared.tasks.detection.reading.form import Setting
    from shared.tasks.options import Options
    from shared.tasks.seen import Seen
    from shared.tasks.spec import Option

_BOX = 4
_FEWEST = 16
"""Boxes of an output that is recognised: of fewer, the values tell nothing."""
_ROTATED = "obb"


class Columns(Dense):
    """Columns: 4 of the box, an objectness if `objectness`, K of the classes; what follows them is not read."""

    objectness: ClassVar[bool]
    undecoded: ClassVar[bool] = False
    """Whether the boxes are offsets from their places in the grid, in strides, and logarithms of sizes."""

    def __init__(self, options: Options, setting: Setting) -> None:
        super().__init__(options, setting)
        self._output = options.whole("output", 0, 0, 63)
        self._classes = options.whole("classes", 0, 0, MAX_LABELS)
        self._start = _BOX + self.objectness
        self._kind = options.choice("box", KINDS, "cxcywh")
        self._units = options.choice("units", UNITS, "pixels")
        self._strides = options.numbers("strides", STRIDES, MAX_LEVELS) if self.undecoded else ()
        self._layout = options.choice("layout", ("auto", "rows", "columns"), "auto")
        self._grid = places(setting.size, self._strides) if self.undecoded else None

    @classmethod
    def recognise(cls, seen: Seen) -> Mapping[str, Option] | None:
        exported = "task" in seen.said and "names" in seen.said
        alone = exported or all(_is_raw(shape, seen.shapes[0]) for shape in seen.shapes[1:])
        if seen.said.get("task") == _ROTATED or len(seen.shapes[0]) != 2 or not alone:
            return None
        for rows in (seen.samples[0], seen.samples[0].transpose(0, 2, 1)):
            found = cls._recognise(seen, rows, extra=exported)
            if found is not None:
                layout: dict[str, Option] = {"layout": "rows" if rows is seen.samples[0] else "columns"}
                return layout | found
        return None

    @classmethod
    def _recognise(cls, seen: Seen, rows: NDArray[np.float32], *, extra: bool) -> dict[str, Option] | None:
        """For rows (n, A, columns)."""
        start = _BOX + cls.objectness
        columns = rows.shape[2] - start
        transposed = rows is not seen.samples[0]
        extra = extra and not cls.objectness  # exporters that say their task have none
        if (
            columns < 1
            or rows.shape[1] < _FEWEST
            or (columns < seen.classes if extra else seen.classes not in (0, columns))
        ):
            return None
        if not seen.classes and cls.objectness == transposed:
            return None  # without names, only the usual layout tells whether there is an objectness
        classes = seen.classes or columns
        activation = activation_of(rows[:, :, _BOX : start + classes], exclusive=False)
        found: dict[str, Option] = {"activation": activation}
        if classes != columns:
            found["classes"] = classes
        for pyramid in pyramids(seen.size, rows.shape[1]):
            middle = centres(seen.size, pyramid, innermost=False)[:, 0]
            kind = kind_by_places(rows[:, :, :_BOX], seen.size)
            x = rows[:, :, 0] if kind in ("cxcywh", "xywh") else rows[:, :, 0] + rows[:, :, 2]
            if kind == "yxyx":
                x = rows[:, :, 1] + rows[:, :, 3]
            if cls.undecoded:
                if follow(x, middle) or pyramid.anchors != 1 or activation != "none":
                    continue
                return found | {"strides": ":".join(map(str, pyramid.strides))}
            innermost = centres(seen.size, pyramid, innermost=True)[:, 0]
            if follow(x, middle) or follow(x, innermost):
                return found | {"box": kind, "units": units_of(rows[:, :, :_BOX])}
        if extra and are_probabilities(rows[:, :, _BOX : start + classes]) and not cls.undecoded:
            return found
        return None

    def check(self, shapes: Sequence[Shape]) -> int | None:
        if len(shapes) <= self._output or len(shapes[self._output]) != 2:
            raise ValueError(f"output {self._output} has no two dimensions")
        boxes, columns = self._ordered(shapes[self._output])
        if columns <= self._start or columns < self._start + self._classes:
            raise ValueError(
                f"{columns} columns; at least {self._start + max(1, self._classes)} are expected"
            )
        if self.undecoded and boxes != (expected := count_places(self.setting.size, self._strides)):
            raise ValueError(f"{boxes} boxes; {expected} places are expected for the strides {self._strides}")
        return self.classes_of(self._classes or columns - self._start)

    def _ordered(self, shape: Shape) -> tuple[int, int]:
        """(boxes, columns) of an output."""
        return shape[::-1] if self._is_transposed(shape) else shape  # type: ignore[return-value]  # two, see check

    def _is_transposed(self, shape: Shape) -> bool:
        if self._layout != "auto":
            return self._layout == "columns"
        columns = self._start + (self._classes or self.setting.classes)
        if self.setting.classes and (shape[0] == columns) != (shape[1] == columns):
            return shape[0] == columns
        return shape[0] < shape[1]

    def head(self, outputs: Tensors) -> Head:
        rows = outputs[self._output]
        if self._is_transposed(rows.shape):
            rows = rows.T
        end = self._start + self._classes if self._classes else None

        def boxes(at: NDArray[np.intp], classes: NDArray[np.intp]) -> NDArray[np.float64]:
            del classes
            return self._corners(rows[at, :_BOX], at)

        return Head(rows[:, self._start : end], boxes, rows[:, _BOX] if self.objectness else None)

    def _corners(self, values: NDArray[np.float32], at: NDArray[np.intp]) -> NDArray[np.float64]:
        if self._grid is None:
            return corners_of(values, self._kind, self._units, self.setting.size)
        grid, strides = self._grid
        with np.errstate(over="ignore"):
            half = np.exp(values[:, 2:].astype(np.float64)) / 2
            middle = values[:, :2] + grid[at]
            corners = np.concatenate([middle - half, middle + half], axis=1) * strides[at, None]
        return bounded(corners, self.setting.size)


def _is_raw(shape: Shape, rows: Shape) -> bool:
    """Whether an output is a level of what `rows` (A, columns) were decoded from, as some exporters give it as well."""
    if len(shape) == 4:
        return shape[3] == rows[-1]
    return len(shape) == 3 and shape[0] % rows[-1] == 0


class Yolov8(Columns):
    """Ultralytics' heads since YOLOv8, and all others without an objectness."""

    name = "yolov8"
    shapes = "(4 + K, A) or (A, 4 + K): cx, cy, w, h in pixels, K class scores"
    objectness = False


class Yolov5(Columns):
    """Heads with an objectness, decoded in the graph: YOLOv5 to v7."""

    name = "yolov5"
    shapes = "(A, 5 + K): cx, cy, w, h in pixels, objectness, K class scores"
    objectness = True

    @classmethod
    def assumed(cls, seen: Seen, options: Mapping[str, Option]) -> str | None:
        del options
        if seen.classes:
            return None
        return (
            "the fifth column is taken for an objectness, as the classes have no names that tell how many they are; if it is the first "
            "class: --task detect:form=yolov8,layout=rows"
        )


class Yolox(Columns):
    """Heads with an objectness whose boxes are still to be decoded: YOLOX."""

    name = "yolox"
    shapes = (
        "(A, 5 + K): offsets of the centre and logarithms of the sides in strides, objectness, K class scores"
    )
    objectness = True
    undecoded = True
