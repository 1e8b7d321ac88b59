"""What was found out about one thing, and what to do about it."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum

from shared.observing.logs import mask_credentials


class State(StrEnum):
    """How bad it is."""

    GOOD = "good"
    DOUBTFUL = "doubtful"
    """It works, and not as well as it could."""
    WRONG = "wrong"
    """Frames are lost, late or answered by the edge because of it."""
    UNKNOWN = "unknown"
    """It could not be looked at, because of something else that is wrong."""


@dataclass(frozen=True)
class Finding:
    """One line of the report."""

    about: str
    """One word: `machine`, `engine`, `camera` …"""
    state: State
    text: str
    """What was found, with its figures."""
    todo: str = ""
    """What to do, where there is something to do."""

    def line(self) -> str:
        """For people, without passwords and tokens, whoever wrote the text."""
        text = " ".join(f"{self.text}; {self.todo}".split() if self.todo else self.text.split())
        return mask_credentials(f"{self.state:<9} {self.about:<12} {text}")

    def record(self) -> dict[str, str]:
        """For programs, without them too."""
        found, todo = mask_credentials(self.text), mask_credentials(self.todo)
        return {"about": self.about, "state": self.state.value, "found": found, "todo": todo}
