"""A slow start: a cloud that has come back is not flooded by edges of which each knows that it has nothing to do."""

from __future__ import annotations

from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

RAMP_S = 10.0
FIRST_SHARE = 0.1
_MOST_CREDIT = 2.0


class Ramp:
    """The largest share of the frames that a cloud is given: a tenth at first, all of them ten seconds after it came back."""

    def __init__(self, clock: Callable[[], float]) -> None:
        """Over, until `begin`."""
        self._clock = clock
        self._since = float("-inf")
        self._credit = 0.0

    @property
    def share(self) -> float:
        """The largest share of the frames that could go to this cloud, `FIRST_SHARE` … 1."""
        return min(1.0, max(FIRST_SHARE, (self._clock() - self._since) / RAMP_S))

    def begin(self) -> None:
        """The cloud came back just now."""
        self._since = self._clock()
        self._credit = 1.0

    def allows(self) -> bool:
        """Whether the frame that is to be sent now may go to this cloud. To be asked once for each that could."""
        share = self.share
        if share >= 1:
            return True
        self._credit = min(_MOST_CREDIT, self._credit + share)
        return self._credit >= 1

    def took(self) -> None:
        """It does go there."""
        self._credit -= 1
