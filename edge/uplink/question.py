"""What is asked of the cloud about a frame."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.tasks.base import Task


@dataclass(frozen=True)
class Question:
    """Which answer is wanted, and how long it may take."""

    path: str
    """Where the frame is posted to; its query says what the answer is to hold."""
    task: Task
    """Reads the answer."""
    deadline_s: float

    def within(self, deadline_s: float) -> Question:
        """The same question with another deadline."""
        return replace(self, deadline_s=deadline_s)
