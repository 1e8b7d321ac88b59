"""The task `detect`: boxes around what is seen, read from any of the forms in shared/tasks/detection/forms."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from shared.errors import ContentError, ModelError
from shared.limits import MAX_LABELS
from shared.tasks.agreement import Agreement
from shared.tasks.base import Task
from shared.tasks.detection.boxes import Boxes, boxes_of, parse_boxes
from shared.tasks.detection.candidates import Candidates, selected
from shared.tasks.detection.comparing import FLOOR, dense_divergence, matches, selected_divergence
from shared.tasks.detection.forms.registry import make_form
from shared.tasks.detection.packed import packed_boxes, unpacked_boxes
from shared.tasks.detection.reading.dense import Dense
from shared.tasks.detection.reading.form import Setting
from shared.tasks.options import Options

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from shared.engines.half import Tensors
    from shared.network.model import Model
    from shared.tasks.base import Answer
    from shared.tasks.detection.reading.form import Form
    from shared.tasks.spec import TaskSpec, Wanted
    from shared.wire.frame import Bytes

DEFAULT_THRESHOLD = 0.4
"""Score above which a box counts, where neither the bundle nor the user says another."""
_BORDERLINE = 0.1
"""By so much a box's score is above the threshold if no other precision takes it away."""
_SAME_SCORE = 0.3


class Detect(Task):
    """Boxes with a score above a threshold, of which none overlaps a better one of its class too much."""

    name = "detect"
    divergence_unit = "KL, nats"

    def __init__(self, form: Form, labels: Sequence[str], threshold: float) -> None:
        """`labels`: one for each class; a class beyond them is called by its number."""
        self._form = form
        self._labels = labels
        self._classes = len(labels) if labels and isinstance(form, Dense) else MAX_LABELS
        self._threshold = threshold
        height, width = form.setting.size
        self._size = (width, height)

    def answer(self, outputs: Tensors) -> Boxes:
        found = self._boxes(outputs)
        try:
            return boxes_of(
                found.corners, found.scores.tolist(), found.classes.tolist(), self._name, self._size
            )
        except ValueError as error:
            raise ContentError(f"the network's answer: {error}") from None

    def nothing(self) -> Boxes:
        return Boxes()

    def parse(self, fields: Mapping[str, Any]) -> Boxes:
        return parse_boxes(fields, self._name, self._size)

    def pack(self, answer: Answer) -> bytes | None:
        return packed_boxes(answer, self._size) if isinstance(answer, Boxes) else None

    def unpack(self, body: Bytes) -> Boxes:
        return unpacked_boxes(body, self._name, self._size)

    def agreement(self, expected: Tensors, found: Tensors) -> Agreement:
        """Boxes of both that are the same (shared/tasks/detection/comparing.py), and how many each has."""
        rows = [
            (len(matches(first, second)), len(first.scores), len(second.scores))
            for first, second in zip(self._all_boxes(expected), self._all_boxes(found), strict=True)
        ]
        columns = np.array(rows, np.float64).reshape(-1, 3)
        return Agreement(columns[:, 0], columns[:, 1], columns[:, 2])

    def common(self, expected: Answer, found: Answer) -> Agreement:
        """As `agreement`, without the boxes of one side that another precision may take below the threshold; a pair has about one score."""
        first, second = (_candidates(answer) for answer in (expected, found))
        pairs = [
            (ours, theirs)
            for ours, theirs in matches(first, second)
            if abs(first.scores[ours] - second.scores[theirs]) <= _SAME_SCORE
        ]
        lone = [
            np.delete(each.scores, [pair[side] for pair in pairs]) >= self._threshold + _BORDERLINE
            for side, each in enumerate((first, second))
        ]
        counts = len(pairs), *(len(pairs) + each.sum() for each in lone)
        return Agreement(*(np.array([float(count)]) for count in counts))

    def divergence(self, expected: Tensors, found: Tensors) -> NDArray[np.float64]:
        """In nats, before any threshold; see shared/tasks/detection/comparing.py."""
        form = self._form
        rows = []
        for first, second in zip(_frames(expected), _frames(found), strict=True):
            if isinstance(form, Dense):
                rows.append(dense_divergence(form, first, second))
            else:
                rows.append(selected_divergence(*(form.candidates(each, FLOOR) for each in (first, second))))
        return np.array(rows, np.float64)

    def _name(self, number: int) -> str:
        """Raises ValueError for a class that there is not."""
        if number >= self._classes:
            raise ValueError(f"class {number} of {self._classes}")
        return self._labels[number] if number < len(self._labels) else f"class {number}"

    def _all_boxes(self, outputs: Tensors) -> list[Candidates]:
        return [self._boxes(frame) for frame in _frames(outputs)]

    def _boxes(self, outputs: Tensors) -> Candidates:
        """The boxes of one frame, the best first, more than an answer holds perhaps. Raises ContentError."""
        if not all(np.isfinite(output).all() for output in outputs):
            raise ContentError("the network's answer is not finite")
        try:
            self._form.check([output.shape for output in outputs])
        except ValueError as error:
            raise ContentError(
                f"the network's answer is not of the form {self._form.name}: {error}"
            ) from None
        candidates = self._form.candidates(outputs, self._threshold)
        return selected(candidates, self._form.most_overlap)


class AnyBoxes(Detect):
    """Reads answers for those who have no network: the boxes keep the names that come with them."""

    def __init__(self) -> None:
        self._threshold = 0.0

    def parse(self, fields: Mapping[str, Any]) -> Boxes:
        return parse_boxes(fields, None, None)

    def pack(self, answer: Answer) -> None:
        """None: it is told only in which size it is."""
        del answer

    def unpack(self, body: Bytes) -> Boxes:
        """Raises ValueError: neither names nor the input's size travel."""
        raise ValueError(f"{len(body)} bytes of boxes, whose names and places only its network tells")


def make_detect(model: Model, wanted: Wanted) -> Detect:
    """The task of a network. Raises ModelError for options that make no sense."""
    size = (model.recipe.height, model.recipe.width)
    try:
        form, threshold = read_options(model.task, size, len(model.labels))
    except ValueError as error:
        raise ModelError(f"{model.name}: its task detect: {error}") from None
    if wanted.threshold is not None:
        threshold = wanted.threshold
    return Detect(form, model.labels, threshold)


def read_options(spec: TaskSpec, size: tuple[int, int], classes: int) -> tuple[Form, float]:
    """The form and the threshold that `spec` names. Raises ValueError."""
    options = Options(dict(spec.options))
    threshold = options.number("threshold", DEFAULT_THRESHOLD, 0, 1)
    form = make_form(options, Setting(size, classes, spec.activation))
    options.refuse_rest()
    return form, threshold


def _candidates(answer: Answer) -> Candidates:
    assert isinstance(answer, Boxes)
    return Candidates(
        np.array([each.corners for each in answer.boxes], np.float64).reshape(-1, 4),
        np.array([each.score for each in answer.boxes], np.float64),
        np.array([each.class_id for each in answer.boxes], np.intp),
    )


def _frames(outputs: Tensors) -> list[Tensors]:
    return [tuple(output[index] for output in outputs) for index in range(len(outputs[0]))]
