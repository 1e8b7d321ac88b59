"""A task: what the outputs of a network mean, and how two outputs compare."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Protocol, Self

import numpy as np

from shared.limits import CONTROL, MAX_LABEL_CHARACTERS
from shared.tasks.agreement import one_each

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from shared.engines.half import Tensors
    from shared.network.recipe import Recipe
    from shared.tasks.agreement import Agreement
    from shared.wire.frame import Bytes


class Answer(Protocol):
    """A network's answer to one frame. Immutable; compared by value."""

    def fields(self) -> dict[str, Any]:
        """The keys that replies and records hold, ready for JSON; each task has its own (`top` for classes)."""

    def headline(self) -> str:
        """The answer in a few words, for progress lines; empty if there is none. It changes when what is seen changes."""

    def findings(self) -> Sequence[tuple[str, float]]:
        """What was found, each with its probability, 0 … 1; the most probable first, which is the headline's."""

    def shows(self) -> Sequence[str]:
        """What the frame shows, for counting frames: a classifier's top class, every class that has a box or an area."""

    def in_picture(self, recipe: Recipe, size: tuple[int, int]) -> Self:
        """The same answer with its places in the camera's picture, of `size` (height, width) pixels, from which `recipe` made the
        network's input. Tasks give places in that input; an answer without places returns itself.
        """


class Task(ABC):
    """Turns one frame's outputs into an answer, reads received answers, and compares outputs.

    Another package offers one in the entry-point group `splitdnn.tasks` (shared/tasks/registry.py).
    """

    name: str

    @abstractmethod
    def answer(self, outputs: Tensors) -> Answer:
        """The answer in one frame's outputs, without the batch dimension; places are in pixels of the network's input.

        Raises ContentError if they are not finite, or are not what this task reads.
        """

    @abstractmethod
    def nothing(self) -> Answer:
        """The answer of a frame that no network could answer."""

    @abstractmethod
    def parse(self, fields: Mapping[str, Any]) -> Answer:
        """The answer in a reply's JSON object, every value checked.

        Raises ValueError, TypeError, KeyError, AttributeError or OverflowError for anything that is not an answer of this task.
        """

    def pack(self, answer: Answer) -> bytes | None:
        """The answer in a short binary form, as of SESSION.md, without names; None if it has none, and travels as JSON."""
        del answer
        return None

    def unpack(self, body: Bytes) -> Answer:
        """The answer that became these bytes by `pack`, every value checked, with this side's names of classes.

        Raises ValueError for anything that is not an answer of this task.
        """
        raise ValueError(
            f"an answer of the task {self.name} has no binary form, and these are {len(body)} bytes"
        )

    @abstractmethod
    def agreement(self, expected: Tensors, found: Tensors) -> Agreement:
        """What the answers to the same n frames have in common. Both arguments are the outputs, each (n, …)."""

    def common(self, expected: Answer, found: Answer) -> Agreement:
        """What two answers to the same frame have in common, as `agreement` has it of outputs; both have their places in the network's input.

        For a task that does not say otherwise, whether they have the same headline.
        """
        return one_each(np.array([float(expected.headline() == found.headline())]))

    @abstractmethod
    def divergence(self, expected: Tensors, found: Tensors) -> NDArray[np.float64]:
        """How far each output is from the expected one, 0 or more: (n,). A finer measure than agreement, of the same arguments."""

    divergence_unit: str
    """What `divergence` is measured in, for tables: `KL, nats`, `rel. error`."""
    squares: bool = False
    """Whether a small error's divergence grows as the error does, so that its square is what adds up, and not as its square."""


def foreign_label(label: Any) -> str:
    """A name in a reply, for those who have none of their own. Raises ValueError for what would change a terminal or forge a line."""
    if not isinstance(label, str) or len(label) > MAX_LABEL_CHARACTERS or CONTROL.search(label):
        raise ValueError(f"a name is text of one line, at most {MAX_LABEL_CHARACTERS} characters")
    return label


MAX_SHORT = 0xFFFF
"""The largest number of a binary answer's fields of two bytes."""


def packed_score(score: float) -> int:
    """A probability, 0 … 1, in two bytes."""
    return round(score * MAX_SHORT)


def score_of(packed: int) -> float:
    """The probability in two bytes, rounded as in answers of JSON."""
    return round(packed / MAX_SHORT, 6)
