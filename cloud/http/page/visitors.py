"""The clients that came lately, as the page shows them: few by name, and the others together."""

from __future__ import annotations

from collections import Counter, OrderedDict, deque
from typing import Any

MOST = 64
"""Clients that are known by name. What one has done that is forgotten counts as the others'."""
WINDOW = 10
"""Rates are those of so many full seconds."""


class Visitor:
    """What one client did."""

    __slots__ = ("_lately", "frames", "last", "received", "refusals")

    def __init__(self) -> None:
        self.frames = 0
        """Answered."""
        self.received = 0
        """Bytes of request bodies."""
        self.refusals: Counter[str] = Counter()
        """By reason, of which there are few."""
        self.last = 0
        """The second in which it was last heard of."""
        self._lately: deque[list[int]] = deque(maxlen=WINDOW + 1)  # second, frames, bytes

    def ended(self, second: int, frames: int, received: int) -> None:
        """A request of it is over."""
        self.last = second
        self.frames += frames
        self.received += received
        if not self._lately or self._lately[-1][0] != second:
            self._lately.append([second, 0, 0])
        now = self._lately[-1]
        now[1] += frames
        now[2] += received

    def refused(self, second: int, reason: str) -> None:
        """A request of it was refused."""
        self.last = second
        self.refusals[reason] += 1

    def absorb(self, other: Visitor) -> None:
        """Count what another did as its own, but for its rates."""
        self.frames += other.frames
        self.received += other.received
        self.refusals += other.refusals
        self.last = max(self.last, other.last)

    def said(self, second: int) -> dict[str, Any]:
        """It as JSON, in this second, which is not over."""
        lately = [each for each in self._lately if second - WINDOW <= each[0] < second]
        return {
            "frames": self.frames,
            "bytes": self.received,
            "frames_per_s": sum(each[1] for each in lately) / WINDOW,
            "bytes_per_s": sum(each[2] for each in lately) / WINDOW,
            "refused": dict(self.refusals),
            "quiet_s": max(0, second - self.last),
        }


class Visitors:
    """All of them. Bounded, whoever comes."""

    def __init__(self, most: int = MOST) -> None:
        self._most = most
        self._by_name: OrderedDict[str, Visitor] = OrderedDict()  # the least recent first
        self.others = Visitor()
        """What those did that are forgotten."""
        self.forgotten = 0

    def of(self, name: str) -> Visitor:
        """The client of this name."""
        found = self._by_name.get(name)
        if found is None:
            if len(self._by_name) >= self._most:
                self._forget_one()
            found = self._by_name[name] = Visitor()
        self._by_name.move_to_end(name)
        return found

    def _forget_one(self) -> None:
        """One that was only ever refused goes first: those may be any number."""
        name = next(
            (name for name, each in self._by_name.items() if not each.frames), next(iter(self._by_name))
        )
        self.others.absorb(self._by_name.pop(name))
        self.forgotten += 1

    def said(self, second: int) -> dict[str, Any]:
        """All of them as JSON, in this second."""
        return {
            "known": {name: each.said(second) for name, each in self._by_name.items()},
            "others": self.others.said(second),
            "forgotten": self.forgotten,
        }
