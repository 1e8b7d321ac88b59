"""What a process of clients is told to do, as JSON on its command line."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass
from pathlib import Path

FIRST, LOAD, POISON, TERMINATE = "first", "load", "poison", "terminate"


@dataclass(frozen=True)
class Job:
    """One measurement."""

    kind: str
    """`first`: ask until there is a right answer; `load`: closed loop; `poison`: the same beside poisoned requests; `terminate`:
    the same, and SIGTERM to the server within it."""
    protocol: str
    port: int
    bodies: str
    """A folder that `write_bodies` has filled."""
    mark: str
    """The server's processes."""
    path: str = "/"
    """HTTP only, as the next."""
    content_type: str = ""
    clients: int = 1
    seconds: float = 1.0
    warm_s: float = 0.5
    timeout_s: float = 30.0
    """For one answer, and for the first one in all."""
    poison_rate: float = 20.0
    """Poisoned requests a second."""
    pid: int = 0
    """Gets the SIGTERM."""

    def text(self) -> str:
        return json.dumps(asdict(self))

    @classmethod
    def read(cls, text: str) -> Job:
        """Raises ValueError and TypeError for what `text` did not write."""
        return cls(**json.loads(text))

    @property
    def folder(self) -> Path:
        return Path(self.bodies)
