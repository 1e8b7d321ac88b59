"""Two outputs: a box for each place, decoded, and a value for each of its classes."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shared.tasks.detection.reading.dense import Dense, Head
from shared.tasks.detection.reading.evidence import (
    activation_of,
    are_probabilities,
    in_grid,
    kind_by_places,
    kind_of,
    sum_to_one,
    units_of,
)
from shared.tasks.detection.reading.geometry import KINDS, UNITS, corners_of

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from shared.engines.half import Tensors
    from shared.network.partition import Shape
    from shared.tasks.detection.reading.form import Setting
    from shared.tasks.options import Options
    from shared.tasks.seen import Seen
    from shared.tasks.spec import Option

_SIDES = 4
_FEWEST = 8
_MOST_QUERIES = 1000
_MOSTLY = 0.8
_NEARLY_ALL = 0.99
_NEARLY_CERTAIN = 0.9
_TWO = 2


class Scores(Dense):
    """`outputs` says which is which. Boxes may be one for each place, or one for each place and class."""

    name = "scores"
    shapes = "(A, 4) boxes, or (A, K, 4), and (A, K) or (K, A) scores, in any order"
    per_box = "all"

    def __init__(self, options: Options, setting: Setting) -> None:
        super().__init__(options, setting)
        self._order = options.words("outputs", _ROLES, "boxes:scores") if options.has("outputs") else ()
        self._kind = options.choice("box", KINDS, "xyxy")
        self._units = options.choice("units", UNITS, "pixels")

    @classmethod
    def recognise(cls, seen: Seen) -> Mapping[str, Option] | None:
        named = _order_by_name(seen.names)
        for order in (named,) if named else _ORDERS:
            if _boxes_and_classes(seen.shapes, order) and not seen.constants:
                found = cls._recognise(seen, order)
                if found is not None:
                    return found
        return None

    @classmethod
    def _recognise(cls, seen: Seen, order: tuple[str, ...]) -> Mapping[str, Option] | None:
        boxes = seen.samples[order.index("boxes")]
        count, classes = _boxes_and_classes(seen.shapes, order) or (0, 0)
        if count < _FEWEST or seen.classes not in (0, classes, classes - 1):
            return None
        rows = boxes.reshape(-1, _SIDES)
        alone = boxes.size == len(boxes) * count * _SIDES
        kind = kind_by_places(boxes.reshape(-1, count, _SIDES), seen.size) if alone else kind_of(boxes)
        if sum_to_one(boxes) or (boxes.shape[-1] != _SIDES and not _are_corners(rows, seen.size)):
            return None  # anything else may have these shapes
        if kind in ("cxcywh", "xywh") and (rows[:, 2:] > 0).mean() < _NEARLY_ALL:
            return None  # differences from anchors, not boxes
        found: dict[str, Option] = {"outputs": ":".join(order), "box": kind, "units": units_of(boxes)}
        found |= cls.classes_seen(seen, order)
        queries = count <= _MOST_QUERIES and not in_grid(boxes.reshape(-1, count, _SIDES), seen.size)
        if queries and kind == "cxcywh" and found["units"] == "normalised" and found["activation"] != "none":
            found |= {"overlap": 1.0, "per_box": "best"}  # DETR's queries: each is another thing
        return found

    @staticmethod
    def order(names: Sequence[str], shapes: Sequence[Shape]) -> tuple[str, ...] | None:
        """Which of two outputs is which; None if they are not boxes and scores."""
        order = _order_by_name(names) or _order(shapes)
        return order if order is not None and _boxes_and_classes(shapes, order) else None

    @staticmethod
    def classes_seen(seen: Seen, order: Sequence[str]) -> dict[str, Option]:
        """The options that say what the scores are."""
        values = _values(seen, order)
        background, _ = _background(values, seen.classes)
        found: dict[str, Option] = {} if background is None else {"background": background}
        return {**found, "activation": activation_of(values, exclusive=background is not None)}

    @classmethod
    def assumed(cls, seen: Seen, options: Mapping[str, Option]) -> str | None:
        notes = [cls.note] if cls.note else []
        order = str(options.get("outputs", "boxes:scores")).split(":")
        known = options.get("background") != 0 or _boxes_and_classes(seen.shapes, order) is None
        if not known and not _background(_values(seen, order), seen.classes)[1]:
            notes.append(
                "the first column of the scores is taken for what stands for nothing, as their values do not tell; if it is the last: "
                f"--task detect:form={cls.name},background=-1"
            )
        return "; ".join(notes) or None

    def check(self, shapes: Sequence[Shape]) -> int | None:
        order = self._order or _order(shapes)
        found = _boxes_and_classes(shapes, order) if order is not None else None
        if found is None:
            raise ValueError("there have to be two outputs, of boxes and of scores")
        return self.classes_of(found[1])

    def head(self, outputs: Tensors) -> Head:
        shapes = [output.shape for output in outputs]
        order = self._order or _order(shapes) or ()
        boxes, values = (outputs[order.index(role)] for role in ("boxes", "scores"))
        count, classes = _boxes_and_classes(shapes, order) or (0, 0)
        values = values.reshape(values.shape[-2:]) if values.ndim > 1 else values[:, None]
        if values.shape != (count, classes):
            values = values.T
        places = boxes.reshape(count, -1, _SIDES)
        first = self.first_class

        def at(rows: NDArray[np.intp], numbers: NDArray[np.intp]) -> NDArray[np.float64]:
            each = places[rows, numbers + first] if places.shape[1] > 1 else places[rows, 0]
            return self.corners(each, rows)

        return Head(values, at)

    def corners(self, values: NDArray[np.float32], rows: NDArray[np.intp]) -> NDArray[np.float64]:
        """(n, 4) corners in pixels of what the output has for the places `rows`."""
        del rows
        return corners_of(values, self._kind, self._units, self.setting.size)


def _order_by_name(names: Sequence[str]) -> tuple[str, ...] | None:
    """Which of two outputs is which, if exactly one is called after boxes."""
    called = ["box" in name.lower() or "bbox" in name.lower() for name in names]
    return tuple("boxes" if each else "scores" for each in called) if called in _ONE_OF_TWO else None


_ONE_OF_TWO = ([True, False], [False, True])
_ROLES = ("boxes", "scores", "ignored")
_ORDERS = (("boxes", "scores"), ("scores", "boxes"))


def _order(shapes: Sequence[Shape]) -> tuple[str, ...] | None:
    """The only order in which shapes can be boxes and scores; where both can, boxes come first."""
    return next((order for order in _ORDERS if _boxes_and_classes(shapes, order)), None)


def _boxes_and_classes(shapes: Sequence[Shape], order: Sequence[str]) -> tuple[int, int] | None:
    """(A, K), K with the background, if the shapes are boxes and scores in this order."""
    if len(shapes) != len(order) or not {"boxes", "scores"} <= set(order):
        return None
    boxes, values = (tuple(shapes[order.index(role)]) for role in ("boxes", "scores"))
    if boxes[-1] != _SIDES and (len(boxes) != 2 or boxes[-1] % _SIDES):
        return None
    values = values if len(values) > 1 else (*values, 1)
    if len(values) > 2 and set(values[:-2]) != {1}:
        return None
    first, second = values[-2:]
    elements = int(np.prod(boxes)) // _SIDES
    for count, classes in ((first, second), (second, first)):
        if count in boxes[:-1] and elements in (count, count * classes):
            return count, classes
    return None


def _values(seen: Seen, order: Sequence[str]) -> NDArray[np.float32]:
    """(n, A, K) what the scores are for n pictures."""
    values = seen.samples[order.index("scores")]
    count, classes = _boxes_and_classes(seen.shapes, order) or (0, 0)
    if values.shape[1:] == (classes, count) != (count, classes):
        values = values.transpose(0, 2, 1)
    return values.reshape(len(values), count, classes)


def _are_corners(rows: NDArray[np.float32], size: tuple[int, int]) -> bool:
    """Whether rows (n, 4) are corners with an area that lie in a picture of `size` (height, width), or hardly leave it."""
    sides = np.array(size[::-1] if units_of(rows) == "pixels" else (1, 1), np.float32)
    areas = (rows[:, 2:] > rows[:, :2]).all(1)
    inside = (np.abs(rows.reshape(-1, _TWO, _TWO) / sides - 0.5) <= 1).all((1, 2))
    return bool(areas.mean() > _MOSTLY and inside.mean() > _MOSTLY)


def _background(values: NDArray[np.float32], named: int) -> tuple[int | None, bool]:
    """The column of values (n, A, K) that stands for nothing, and whether they show it: it is nearly certain nearly everywhere, or
    where there is known to be one, by far the likeliest of all on average.
    """
    classes = values.shape[2]
    distributions = sum_to_one(values)
    if classes < _TWO or (not distributions and (are_probabilities(values) or named == classes)):
        return None, True
    shares = values if distributions else _softmax(values)
    for column in (0, -1):
        if (shares[:, :, column] > _NEARLY_CERTAIN).mean() > _MOSTLY:
            return column, True
    if named != classes - 1 and not (distributions and named != classes):
        return None, True
    means = shares.mean((0, 1))
    for column in (0, -1):
        if means[column] > _TWO * np.delete(means, column).max():
            return column, True
    return 0, False


def _softmax(values: NDArray[np.float32]) -> NDArray[np.float32]:
    shares: NDArray[np.float32] = np.exp(values - values.max(2, keepdims=True))
    shares /= shares.sum(2, keepdims=True)
    return shares
