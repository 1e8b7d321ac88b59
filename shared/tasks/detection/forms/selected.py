"""Boxes that the graph selected already: in outputs of their own, or as rows of one output."""

from __future__ import annotations

from abc import abstractmethod
from typing import TYPE_CHECKING

import numpy as np

from shared.errors import ContentError
from shared.limits import MAX_LABELS
from shared.tasks.detection.candidates import Candidates
from shared.tasks.detection.reading.evidence import units_of
from shared.tasks.detection.reading.form import Form
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

_ROLES = ("boxes", "scores", "labels", "count", "ignored")
_COLUMNS = ("x0", "y0", "x1", "y1", "score", "class", "image")
_LAYOUTS = (
    ("x0:y0:x1:y1:score:class", "pixels", 2),
    ("class:score:x0:y0:x1:y1", "pixels", 2),
    ("x0:y0:x1:y1:class:score", "pixels", 2),
    ("image:class:score:x0:y0:x1:y1", "normalised", 3),
    ("image:x0:y0:x1:y1:class:score", "pixels", 2),
    ("image:x0:y0:x1:y1:score:class", "pixels", 2),
)
"""Orders of the columns that exporters use, the most frequent first, their unit, and the output's dimensions."""
_MOSTLY = 0.95
_SIDES = 4
_ROTATED = "obb"
_MOST_IMAGES = 64
"""Pictures of a batch, whose numbers are in the column `image`."""


class _Selected(Form):
    """Rows with a score below 0 are filling. `first`: the number of the first class that has a name."""

    overlap = 1.0

    def __init__(self, options: Options, setting: Setting) -> None:
        super().__init__(options, setting)
        self._first = options.whole("first", 0, 0, 1)

    @classmethod
    def assumed(cls, seen: Seen, options: Mapping[str, Option]) -> str | None:
        """How the boxes are written cannot be seen where no picture shows any; nothing is assumed if their outputs' names tell."""
        rows = (
            sample
            for sample, shape in zip(seen.samples, seen.shapes, strict=True)
            if len(shape) > 1 and shape[-1] >= _SIDES
        )
        if options.get("first") == 1 or any((sample > 0).any() for sample in rows):
            return None
        kind, units = options.get("box", "xyxy"), options.get("units", "pixels")
        return (
            f"no box was found in the probe's pictures, so box={kind} and units={units} are taken for granted; with others: "
            f"detect:form={cls.name},box=…,units=…"
        )

    @abstractmethod
    def columns(
        self, outputs: Tensors
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float32]]:
        """Corners (N, 4), scores (N,) and the classes as the network numbers them (N,), filling included."""

    def candidates(self, outputs: Tensors, threshold: float) -> Candidates:
        corners, scores, numbers = self.columns(outputs)
        rows = np.flatnonzero(scores > max(threshold, 0.0))
        classes = np.rint(numbers[rows]) - self._first
        if len(classes) and (classes.min() < 0 or classes.max() >= MAX_LABELS):
            raise ContentError(
                f"the network's answer has classes from {classes.min():g} to {classes.max():g}; accepted: 0 to {MAX_LABELS - 1}"
            )
        return Candidates(corners[rows], np.minimum(scores[rows], 1.0), classes.astype(np.intp))


class Separate(_Selected):
    """Boxes, scores and classes as an output each; `outputs` says which is which."""

    name = "boxes"
    shapes = (
        "(N, 4) boxes, (N,) scores and (N,) labels in any order, or (N, 5) boxes with scores and (N,) labels"
    )

    def __init__(self, options: Options, setting: Setting) -> None:
        super().__init__(options, setting)
        self._roles = options.text("outputs", "boxes:scores:labels").split(":")
        roles = [role for role in self._roles if role != "ignored"]
        if not set(roles) <= set(_ROLES) or len(set(roles)) != len(roles) or "boxes" not in roles:
            raise ValueError(
                f"outputs={':'.join(self._roles)[:80]}; accepted: a word for each output, with : between: {', '.join(_ROLES)}"
            )
        self._kind = options.choice("box", KINDS, "xyxy")
        self._units = options.choice("units", UNITS, "pixels")

    @classmethod
    def recognise(cls, seen: Seen) -> Mapping[str, Option] | None:
        roles = [_role(seen, index) for index in range(len(seen.names))]
        needed = [role for role in roles if role != "ignored"]
        boxes = seen.shapes[roles.index("boxes")] if "boxes" in roles else ()
        wanted = {"boxes", "labels"} if boxes[1:] == (5,) else {"boxes", "scores", "labels"}
        if set(needed) - {"count"} != wanted or len(set(needed)) != len(needed):
            return None
        tensorflow = "count" in roles or seen.names[roles.index("boxes")].startswith("detection_")
        found: dict[str, Option] = {"outputs": ":".join(roles)}
        if tensorflow:
            found |= {"box": "yxyx", "units": "normalised"}
            if seen.names[roles.index("labels")].startswith("detection_"):
                found["first"] = 1  # TensorFlow's numbers begin with the background
        elif _normalised(seen.samples[roles.index("boxes")]):
            found["units"] = "normalised"
        return found

    def check(self, shapes: Sequence[Shape]) -> int | None:
        if len(shapes) != len(self._roles):
            raise ValueError(f"there are {len(shapes)} outputs, and outputs={':'.join(self._roles)}")
        by_role = {role: shape for role, shape in zip(self._roles, shapes, strict=True) if role != "ignored"}
        boxes = by_role["boxes"]
        if len(boxes) != 2 or boxes[1] not in (4, 5) or (boxes[1] == 4) != ("scores" in by_role):
            raise ValueError(f"boxes of shape {boxes}")
        for role in ("scores", "labels"):
            if by_role.get(role, boxes[:1]) not in (boxes[:1], (boxes[0], 1)):
                raise ValueError(f"{role} of shape {by_role[role]} for boxes of {boxes}")
        return None

    def columns(
        self, outputs: Tensors
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float32]]:
        by_role = dict(zip(self._roles, outputs, strict=True))
        boxes = by_role["boxes"]
        scores = (by_role["scores"].reshape(-1) if "scores" in by_role else boxes[:, 4]).astype(np.float64)
        if "count" in by_role:
            scores = np.where(np.arange(len(scores)) < by_role["count"].reshape(-1)[0], scores, -1.0)
        labels = by_role["labels"].reshape(-1) if "labels" in by_role else np.zeros(len(scores), np.float32)
        corners = corners_of(boxes, self._kind, self._units, self.setting.size)
        return corners, scores, labels


class Rows(_Selected):
    """One row for each box; `columns` says what is in it."""

    name = "rows"
    shapes = "(N, 6) x0, y0, x1, y1, score, class; (1, N, 7) image, class, score, x0, y0, x1, y1, normalised; or as columns= says"

    def __init__(self, options: Options, setting: Setting) -> None:
        super().__init__(options, setting)
        names = options.words("columns", _COLUMNS, _LAYOUTS[0][0])
        if not set(_COLUMNS[:5]) <= set(names):
            raise ValueError(f"columns={':'.join(names)}; needed: {', '.join(_COLUMNS[:5])}")
        self._at = {name: index for index, name in enumerate(names)}
        self._kind = options.choice("box", KINDS, "xyxy")
        self._units = options.choice("units", UNITS, "pixels")

    @classmethod
    def recognise(cls, seen: Seen) -> Mapping[str, Option] | None:
        if len(seen.shapes) != 1 or len(seen.shapes[0]) not in (2, 3) or seen.said.get("task") == _ROTATED:
            return None
        (shape,), (sample,) = seen.shapes, seen.samples
        if shape[-1] not in (6, 7) or (len(shape) == 3 and shape[0] != 1):
            return None
        rows = sample.reshape(-1, shape[-1]).astype(np.float64)
        for columns, units, rank in _LAYOUTS:
            names = columns.split(":")
            if len(names) != shape[-1] or rank != len(shape):
                continue
            kind = _kind(rows, names)
            if kind is not None:
                used = rows[_used(rows, names)][:, [names.index(name) for name in _COLUMNS[:4]]]
                return {"columns": columns, "box": kind, "units": units_of(used) if len(used) else units}
        return None

    def check(self, shapes: Sequence[Shape]) -> int | None:
        if len(shapes) != 1 or len(shapes[0]) not in (2, 3) or shapes[0][-1] != len(self._at):
            raise ValueError(f"one output of {len(self._at)} columns is expected")
        return None

    def columns(
        self, outputs: Tensors
    ) -> tuple[NDArray[np.float64], NDArray[np.float64], NDArray[np.float32]]:
        rows = outputs[0].reshape(-1, len(self._at))
        corners = rows[:, [self._at[name] for name in _COLUMNS[:4]]]
        classes = rows[:, self._at["class"]] if "class" in self._at else np.zeros(len(rows), np.float32)
        scores = rows[:, self._at["score"]].astype(np.float64)
        if "image" in self._at:
            scores = np.where(rows[:, self._at["image"]] < 0, -1.0, scores)
        return corners_of(corners, self._kind, self._units, self.setting.size), scores, classes


def _role(seen: Seen, index: int) -> str:
    """What an output is, by its shape, and by its name or kind of numbers."""
    name, shape = seen.names[index].lower(), seen.shapes[index]
    if len(shape) == 2 and shape[1] in (4, 5) and not name.startswith("raw_"):
        return "boxes"
    if any(word in name for word in ("anchor_ind", "raw_", "multiclass")):
        return "ignored"
    if shape in ((), (1,)) and "num" in name:
        return "count"
    if len(shape) != 1 and shape[1:] != (1,):
        return "other"
    if any(word in name for word in ("label", "class", "cls")):
        return "labels"
    if any(word in name for word in ("score", "prob", "conf")):
        return "scores"
    sample = seen.samples[index]
    counted = bool((sample > 1).any() and (sample == np.rint(sample)).all())
    return "labels" if seen.whole[index] or counted else "scores"


def _normalised(boxes: NDArray[np.float32]) -> bool:
    """Whether there are boxes, and all are within a unit square."""
    rows = boxes.reshape(-1, boxes.shape[-1])[:, :4]
    rows = rows[(rows[:, 2] > rows[:, 0]) & (rows[:, 3] > rows[:, 1])]
    return len(rows) > 0 and bool(rows.max() <= 1.5)


def _used(rows: NDArray[np.float64], names: Sequence[str]) -> NDArray[np.bool_]:
    """Which of rows (n, columns) are no filling, if `names` says what is in them."""
    image = rows[:, names.index("image")] if "image" in names else rows[:, names.index("score")]
    used: NDArray[np.bool_] = (rows[:, names.index("score")] >= 0) & (image >= 0) & (rows != 0).any(1)
    return used


def _kind(rows: NDArray[np.float64], names: Sequence[str]) -> str | None:
    """How rows (n, columns) write their boxes, if they can be what `names` says; None if they cannot."""
    used = rows[_used(rows, names)]
    if not len(used):
        return "xyxy" if (rows <= 0).all() else None
    if "image" in names:
        images = used[:, names.index("image")]
        if images.max() >= _MOST_IMAGES or (images != np.rint(images)).any():
            return None  # the first of five numbers of a rotated box, say
    scores, classes = (used[:, names.index(name)] for name in ("score", "class"))
    if scores.max() > 1 or classes.min() < 0 or (classes != np.rint(classes)).any():
        return None
    x0, y0, x1, y1 = (used[:, names.index(name)] for name in _COLUMNS[:4])
    if ((x1 >= x0) & (y1 >= y0)).mean() > _MOSTLY:
        return "xyxy"
    return "cxcywh" if ((x1 > 0) & (y1 > 0)).mean() > _MOSTLY else None
