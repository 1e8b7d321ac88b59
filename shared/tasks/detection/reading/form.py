"""A form: the shapes of a detector's outputs and how boxes are read from them."""

from __future__ import annotations

from abc import ABC, abstractmethod
from dataclasses import dataclass
from typing import TYPE_CHECKING, ClassVar

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from shared.engines.half import Tensors
    from shared.network.partition import Shape
    from shared.tasks.detection.candidates import Candidates
    from shared.tasks.options import Options
    from shared.tasks.seen import Seen
    from shared.tasks.spec import Activation, Option


@dataclass(frozen=True)
class Setting:
    """What every form needs to know of its network."""

    size: tuple[int, int]
    """(height, width) of its input."""
    classes: int
    """How many have a name; 0 if none has."""
    activation: Activation
    """What turns the classes' values into probabilities."""


class Form(ABC):
    """One way to write down boxes. `form=NAME` and the other options of the task choose and tell it."""

    name: ClassVar[str]
    shapes: ClassVar[str]
    """The outputs' shapes without the batch, for people: A boxes, K classes, h x w places."""
    overlap: ClassVar[float] = 0.45
    """The option of this name, unless it is given: intersection over union above which two boxes of a class are one; 1: they were selected already."""

    note: ClassVar[str | None] = None
    """What is taken for granted where this form is recognised."""

    def __init__(self, options: Options, setting: Setting) -> None:
        """Takes its own options. Raises ValueError for one that it does not accept."""
        self.setting = setting
        self.most_overlap = options.number("overlap", self.overlap, 0, 1)

    @classmethod
    @abstractmethod
    def recognise(cls, seen: Seen) -> Mapping[str, Option] | None:
        """The options with which this form reads outputs like these; None if it cannot, or if they need not be its own."""

    @classmethod
    def assumed(cls, seen: Seen, options: Mapping[str, Option]) -> str | None:
        """What is taken for granted when outputs are recognised with these options, for a note."""
        del seen, options
        return cls.note

    @abstractmethod
    def check(self, shapes: Sequence[Shape]) -> int | None:
        """How many classes outputs of these shapes have, if they tell. Raises ValueError, one line, for any that do not fit."""

    @abstractmethod
    def candidates(self, outputs: Tensors, threshold: float) -> Candidates:
        """The boxes of one frame with a score above `threshold`; outputs of shapes that passed `check`, all finite."""
