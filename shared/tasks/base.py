"""What a task is: what the outputs of a network mean, and what two of its answers have in common."""

from __future__ import annotations

from abc import ABC, abstractmethod
from typing import TYPE_CHECKING, Any, Protocol

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    import numpy as np
    from numpy.typing import NDArray


class Answer(Protocol):
    """What a network says of one frame. Immutable; two equal answers compare equal."""

    def fields(self) -> dict[str, Any]:
        """What replies and records hold of it, ready for JSON: a task's own keys, `top` for classes."""

    def headline(self) -> str:
        """The answer in a few words, for progress lines; empty if there is nothing to say."""

    def findings(self) -> Sequence[tuple[str, float]]:
        """What was found, each with its probability, 0 … 1; the most probable first, which is the headline's."""


class Task(ABC):
    """Turns one frame's outputs into an answer, reads answers that came over the network, and compares outputs."""

    name: str

    @abstractmethod
    def answer(self, outputs: NDArray[np.float32]) -> Answer:
        """The answer in one frame's outputs, without the batch dimension. Raises ContentError if they are not finite."""

    @abstractmethod
    def parse(self, fields: Mapping[str, Any]) -> Answer:
        """The answer in a reply's JSON object, checked to the last value.

        Raises ValueError, TypeError, KeyError, AttributeError or OverflowError for whatever is no answer of this task.
        """

    @abstractmethod
    def agreement(self, expected: NDArray[np.float32], found: NDArray[np.float32]) -> NDArray[np.float64]:
        """How much of each answer was kept, 0 … 1: (n,), from the outputs (n, …) of n frames, twice."""

    @abstractmethod
    def divergence(self, expected: NDArray[np.float32], found: NDArray[np.float32]) -> NDArray[np.float64]:
        """How far each output is from what was expected, 0 or above, finer than agreement: (n,), from (n, …) twice."""
