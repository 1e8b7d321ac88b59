"""A task: what the outputs of a network mean, and how two outputs compare."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from shared.engines.half import Tensors


class Answer(Protocol):
    """A network's answer to one frame. Immutable; compared by value."""

    def fields(self) -> dict[str, Any]:
        """The keys that replies and records hold, ready for JSON; each task has its own (`top` for classes)."""

    def headline(self) -> str:
        """The answer in a few words, for progress lines; empty if there is none."""

    def findings(self) -> Sequence[tuple[str, float]]:
        """What was found, each with its probability, 0 … 1; the most probable first, which is the headline's."""


class Task(ABC):
    """Turns one frame's outputs into an answer, reads received answers, and compares outputs."""

    name: str

    @abstractmethod
    def answer(self, outputs: Tensors) -> Answer:
        """The answer in one frame's outputs, without the batch dimension. Raises ContentError if they are not finite."""

    @abstractmethod
    def parse(self, fields: Mapping[str, Any]) -> Answer:
        """The answer in a reply's JSON object, every value checked.

        Raises ValueError, TypeError, KeyError, AttributeError or OverflowError for anything that is not an answer of this task.
        """

    @abstractmethod
    def agreement(self, expected: Tensors, found: Tensors) -> NDArray[np.float64]:
        """How much of each answer is the same, 0 … 1: (n,). Both arguments are the outputs, each (n, …), of the same n frames."""

    @abstractmethod
    def divergence(self, expected: Tensors, found: Tensors) -> NDArray[np.float64]:
        """How far each output is from the expected one, 0 or more: (n,). A finer measure than agreement, of the same arguments."""
