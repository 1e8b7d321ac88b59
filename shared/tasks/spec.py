"""What a bundle says of its task, and what is asked of an answer."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Activation = Literal["softmax", "sigmoid", "none"]
ACTIVATIONS: tuple[Activation, ...] = ("softmax", "sigmoid", "none")

Option = str | int | float | bool


@dataclass(frozen=True)
class TaskSpec:
    """The task's name and how its outputs are to be read."""

    name: str
    """`classify`, `detect`, `segment`, `raw`, or that of a task of another package."""
    activation: Activation = "softmax"
    """What turns scores into probabilities: `none` if the graph ends with it already."""
    options: tuple[tuple[str, Option], ...] = ()
    """Whatever else the task needs to know, sorted by name; each task documents its own."""


@dataclass(frozen=True)
class Wanted:
    """What is asked of answers, by a user or a request."""

    top: int = 5
    """Classes that an answer of `classify` names, at most."""
    threshold: float | None = None
    """Score, 0 … 1, above which a box counts; None: the bundle's own."""
