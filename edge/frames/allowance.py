"""How many frames of each camera may be somewhere at once."""

from __future__ import annotations

from collections import Counter


class Allowance:
    """One place of its own for each camera, and `shared` more for whoever comes first. Not thread-safe.

    A camera whose frames hang takes its own place and those that are shared; the others go on with theirs.
    """

    def __init__(self, shared: int) -> None:
        self._free = shared
        self._used: Counter[str] = Counter()

    def has_room(self, camera: str) -> bool:
        """Whether there is a place for another frame of this camera."""
        return not self._used[camera] or self._free > 0

    def take(self, camera: str) -> None:
        """A frame of this camera takes a place, of which there is one."""
        self._free -= self._used[camera] > 0
        self._used[camera] += 1

    def give_back(self, camera: str) -> None:
        """A frame of this camera leaves its place."""
        self._used[camera] -= 1
        self._free += self._used[camera] > 0
