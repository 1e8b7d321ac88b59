"""The cloud that plans are made for: of several, the one that answers the most frames."""

from __future__ import annotations

from collections import Counter, deque
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.uplink.clouds.member import Member
    from edge.uplink.link import Link, LinkState

_RECENT = 32
"""Latest answers that count, for each cloud: so many that of clouds which are alike none seems to answer far less."""
_SURE = 8
"""Answers of a cloud before it can take that from another."""
_FAR_LESS = 0.25
"""Share of the most frames below which the cloud that plans were made for gives that up."""


class Typical:
    """As much of a link as planning needs: that of the cloud which plans are made for.

    It stays so until it cannot be asked, or answers far fewer of the latest frames than another. So a cloud that is slow, and gets few
    frames for that, changes no plan; and of clouds that are alike none takes the other's place by chance.
    """

    def __init__(self, members: Sequence[Member]) -> None:
        self._members = members
        self._one = members[0]
        self._earlier_jumps = 0
        self._recent: deque[Member] = deque(maxlen=_RECENT * len(members))
        self._counts: Counter[Member] = Counter()

    @property
    def cloud(self) -> str:
        """Its name."""
        return self._one.name

    @property
    def telling_bytes(self) -> float:
        """As of a link."""
        return self._link.telling_bytes

    @property
    def state(self) -> LinkState:
        """The estimate."""
        return self._link.state

    @property
    def told_at(self) -> float:
        """When its throughput was last measured."""
        return self._link.told_at

    @property
    def is_jumping(self) -> bool:
        """Whether the latest measurement was far from the usual throughput."""
        return self._link.is_jumping

    @property
    def jumps(self) -> int:
        """How often its throughput has changed for certain; another cloud is such a change, too."""
        return self._earlier_jumps + self._link.jumps

    def answered(self, member: Member) -> None:
        """A frame was answered by this cloud."""
        if len(self._recent) == self._recent.maxlen:
            self._counts[self._recent[0]] -= 1
        self._recent.append(member)
        self._counts[member] += 1
        if member is not self._one and (
            not self._one.line.circuit.is_closed
            or _SURE <= self._counts[member] > self._counts[self._one] / _FAR_LESS
        ):
            self._take(member)

    @property
    def _link(self) -> Link:
        return self._one.line.link

    def _take(self, member: Member) -> None:
        self._earlier_jumps = self.jumps + 1 - member.line.link.jumps
        self._one = member
