"""Which network several clouds run: that of most of them."""

from __future__ import annotations

import asyncio
from collections import Counter
from typing import TYPE_CHECKING, Protocol

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.uplink.line import Line


class _Cloud(Protocol):
    line: Line

    @property
    def is_away(self) -> bool: ...


class Agreed:
    """As edge/uplink/clouds/heard.py's `Heard`, for several clouds. Used from the event loop only.

    The rule: the network that most of the clouds run, of those that are there. Of networks that as many run, the one that was agreed on
    before; else that of the cloud that was named first. So an edge with `--model cloud` keeps its network while less than half of the
    clouds have another, and one cloud alone takes no edge away from the others.
    """

    def __init__(self, clouds: Sequence[_Cloud]) -> None:
        """`clouds` in the order in which the user has named them."""
        self._clouds = clouds
        self._before: str | None = None
        self._changed = asyncio.Event()
        for cloud in clouds:
            cloud.line.heard.on_change = self._changed.set

    @property
    def fingerprint(self) -> str | None:
        """16 hexadecimal digits; None before any cloud has named a network."""
        named = [cloud.line.heard.fingerprint for cloud in self._clouds if not cloud.is_away]
        counts = Counter(each for each in named if each)
        if counts:
            most = max(counts.values())
            best = [each for each in counts if counts[each] == most]  # in the clouds' order
            self._before = self._before if self._before in best else best[0]
        return self._before

    def is_other_than(self, fingerprint: str) -> bool:
        """Whether the clouds run another network than this one."""
        return self.fingerprint not in (None, fingerprint)

    async def other_than(self, fingerprint: str) -> str:
        """Wait until the clouds run another network than this one; its fingerprint."""
        while (agreed := self.fingerprint) in (None, fingerprint):
            self._changed.clear()
            await self._changed.wait()
        assert agreed is not None
        return agreed
