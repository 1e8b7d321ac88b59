"""What a bundle says of its task, and the task that it names."""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal

Activation = Literal["softmax", "sigmoid", "none"]


@dataclass(frozen=True)
class TaskSpec:
    """The task's name and how its outputs are to be read."""

    name: Literal["classify", "raw"]
    activation: Activation = "softmax"
    """For `classify`, what turns the output into probabilities: `none` if the graph ends with it already."""
