"""What two answers to one frame have in common is what two outputs have, as far as answers tell."""

from __future__ import annotations

from types import SimpleNamespace
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from kits.detecting import detector, random

from shared.errors import ContentError
from shared.tasks.agreement import Agreement
from shared.tasks.classify import Classify
from shared.tasks.foreign.plugins import PluginTask
from shared.tasks.raw import Raw
from shared.tasks.segmentation.segment import Layout, Segment
from shared.tasks.spec import TaskSpec

if TYPE_CHECKING:
    from shared.tasks.base import Task

LABELS = ("cat", "dog", "hen")


def answers(task: Task, *outputs: Any) -> list[Any]:
    return [task.answer((np.asarray(each, np.float32),)) for each in outputs]


def test_classes_have_their_probabilities_in_common() -> None:
    task = Classify(LABELS, 2)
    first, same, less_sure, other = answers(task, [3, 1, 0], [3.01, 0.99, 0], [0.5, 0.4, 0.1], [0, 5, 1])
    assert task.common(first, first).share == 1
    assert task.common(first, same).share > 0.98
    assert task.common(first, less_sure).share == pytest.approx(0.5245, abs=1e-3)
    assert task.common(first, other).share == 0


def test_of_two_classes_that_are_about_as_probable_either_may_come_first() -> None:
    """Another precision decides between them; and the last of those that are named may be another one as well."""
    task = Classify(LABELS, 2)
    first, swapped, third, clear = answers(
        task, [2.0, 1.95, 1.9], [1.95, 2.0, 1.9], [2.0, 1.9, 1.95], [2.0, 1.5, 1.0]
    )
    assert task.common(first, swapped).share > 0.95
    assert task.common(first, third).share > 0.95
    assert task.common(clear, swapped).share == 0


def test_a_single_class_has_one_probability() -> None:
    task = Classify(["cat"], 1)
    low, lower, high = answers(task, [-0.1], [-5], [0.1])
    assert task.common(low, high).share > 0.89
    assert task.common(low, lower).share < 0.1


def test_one_of_many_classes_is_compared_as_one() -> None:
    task = Classify(LABELS, 1)
    first, same, other, sure = answers(task, [1, 0, 0], [1.1, 0, 0], [0, 1, 0], [20, 0, 0])
    assert task.common(first, same).share > 0.9
    assert task.common(first, other).share == 0
    assert task.common(first, sure).share < 0.5


def test_boxes_near_the_threshold_are_nobodys_lie() -> None:
    task = detector("boxes")
    corners = np.array([[10, 10, 30, 30], [40, 10, 60, 30]], np.float32)

    def answer(*scores: float) -> Any:
        return task.answer(
            (corners[: len(scores)], np.array(scores, np.float32), np.zeros(len(scores), np.float32))
        )

    nothing = task.answer((corners, np.array([0.1, 0.1], np.float32), np.zeros(2, np.float32)))
    assert task.common(nothing, answer(0.45)).share == 1, "its score may have been 0.39"
    assert task.common(answer(0.9, 0.42), answer(0.9)).share == 1
    assert task.common(nothing, answer(0.9)).share == 0
    assert task.common(answer(0.9), nothing).share == 0
    assert task.common(answer(0.95), answer(0.55)).share == 0, "a box whose score is another one"


def test_boxes_are_compared_as_the_outputs_are() -> None:
    task = detector("boxes")
    boxes = np.array([[10, 10, 30, 30], [40, 10, 60, 30], [70, 40, 90, 80]], np.float32)
    cases = [
        (boxes, [0.9, 0.8, 0.7]),
        (boxes + 2, [0.9, 0.8, 0.7]),
        (boxes, [0.9, 0.2, 0.7]),
        (boxes + 25, [0.9, 0.8, 0.7]),
    ]
    outputs = [
        (corners, np.array(scores, np.float32), np.array([0, 0, 1], np.float32)) for corners, scores in cases
    ]
    first, *others = [task.answer(each) for each in outputs]
    shares = [task.common(first, each).share for each in (first, *others)]
    batch = [tuple(array[None] for array in each) for each in outputs]
    assert shares == pytest.approx([task.agreement(batch[0], each).share for each in batch])
    assert shares == pytest.approx([1, 1, 0.8, 0])
    assert task.common(task.nothing(), task.nothing()).share == 1, "neither side sees anything"


def test_maps_have_pixels_in_common() -> None:
    task = Segment(Layout(TaskSpec("segment", "none", (("numbers", True),))), LABELS, (8, 8))
    first, quarter = np.zeros((8, 8)), np.zeros((8, 8))
    quarter[:4, :4] = 2
    one, other = answers(task, first, quarter)
    assert task.common(one, one).share == 1
    assert task.common(one, other).share == pytest.approx(0.75)
    small = task.answer((np.zeros((4, 4), np.float32),))
    assert task.common(one, small).share == 0
    assert task.common(one, task.nothing()).share == 0


@pytest.mark.parametrize("size", [100, 100_000])
def test_raw_outputs_are_compared_by_what_was_handed_on(size: int) -> None:
    task = Raw(["out"])
    values = random(size)
    one, near, far = answers(task, values, values * 1.001, -values)
    assert (one.outputs[0].data is None) == (size > 100)
    assert task.common(one, one).share == 1
    assert task.common(one, near).share == pytest.approx(0.999, abs=1e-4)
    assert task.common(one, far).share == 0
    assert task.common(one, task.answer((values[1:],))).share == 0


class Counting(Classify):
    """As another package has it, with what a task inherits."""


class Lying(Counting):
    def common(self, expected: Any, found: Any) -> Agreement:
        return Agreement(*np.full((3, 1), np.nan))


def test_a_task_of_another_package_is_asked_and_not_believed() -> None:
    task = PluginTask("counting", Counting(LABELS, 2))
    first, other = answers(task, [3, 1, 0], [0, 5, 1])
    assert task.common(first, first).share == 1
    assert task.common(first, other).share == 0
    with pytest.raises(ContentError, match="the task lying"):
        PluginTask("lying", Lying(LABELS, 2)).common(first, first)


def test_a_task_that_says_nothing_of_it_is_compared_by_headlines() -> None:
    task = Classify(LABELS, 2)
    one, two = (SimpleNamespace(headline=lambda text=text: text) for text in ("2 people", "3 people"))
    for first, second, share in ((one, one, 1), (one, two, 0)):
        found = super(Classify, task).common(first, second)  # type: ignore[arg-type]
        assert found.share == share
