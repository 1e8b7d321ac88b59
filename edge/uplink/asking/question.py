"""What is asked of the cloud about a frame."""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from shared.network.model import Model
    from shared.tasks.base import Task
    from shared.tasks.spec import Wanted

_CLOCKS = 1.1
_SLACK_S = 0.1
"""By so much the cloud's clock may run faster, and a step look longer than the whole of the frame's way."""


@dataclass(frozen=True)
class Question:
    """Which answer is wanted, and how long it may take."""

    path: str
    """Where the frame is posted to; its query says what the answer is to hold."""
    task: Task
    """Reads the answer."""
    deadline_s: float
    camera: str = ""
    """Whose frames they are, where the cloud is to know them for one stream; may be empty."""

    @property
    def query(self) -> str:
        """What is asked about a frame, as a session says it once: the path's query."""
        return self.path.partition("?")[2]

    @property
    def longest_ms(self) -> float:
        """A step of the cloud cannot have taken longer, if the answer came in time."""
        return 1e3 * (_CLOCKS * self.deadline_s + _SLACK_S)

    def within(self, deadline_s: float) -> Question:
        """The same question with another deadline."""
        return replace(self, deadline_s=deadline_s)


def frame_path(model: Model, wanted: Wanted) -> str:
    """Where frames are posted to."""
    query = []
    if model.labels:  # the cloud refuses more classes than there are, and any number where there are none
        query.append(f"top={min(wanted.top, len(model.labels))}")
    if wanted.threshold is not None:
        query.append(f"threshold={wanted.threshold!r}")
    return f"/model?{'&'.join(query)}" if query else "/model"
