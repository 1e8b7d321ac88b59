"""What is read again only once it has changed and changes no more: the first look may find it half written."""

from __future__ import annotations

from typing import Generic, TypeVar

State = TypeVar("State")


class Settled(Generic[State]):
    """Compares looks at something, such as a file's size and time."""

    def __init__(self, taken: State) -> None:
        """`taken`: its state when it was last read."""
        self._taken = self._latest = taken

    def has_changed(self, state: State) -> bool:
        """Whether it is another than the one taken, and as at the look before; if so, it is taken, whatever comes of that."""
        before, self._latest = self._latest, state
        if state == self._taken or state != before:
            return False
        self._taken = state
        return True
