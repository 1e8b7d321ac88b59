"""What one more frame is expected to take at a cloud: from its latest answers, and from what is under way there."""

from __future__ import annotations

import itertools
import math
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

START_S = 1e-6
"""Before the first answer: next to nothing, so that each cloud gets a frame soon; then that one's age counts."""
_WEIGHT = 0.3
"""What the latest answer counts for."""
_FADES_S = 5.0
"""An expectation that no answer confirms falls to a third in this time, so that a cloud which was slow gets a frame again."""


class Load:
    """The usual time of the latest answers, times one more than the frames under way. Used from the event loop only.

    So Finagle and Linkerd weigh their servers. What is under way is the newest sign of all: it shows a cloud that has become slow before
    its first late answer does, and the frames of an edge do not all go where an answer was fast (Mitzenmacher, "How Useful Is Old
    Information?", 2000). While a frame is under way for longer than is usual, its age counts in place of the usual time.
    """

    def __init__(self, clock: Callable[[], float]) -> None:
        self._clock = clock
        self._numbers = itertools.count()
        self._sent: dict[int, float] = {}
        """When each frame under way was sent, the oldest first."""
        self._usual_s: float | None = None
        self._told_at = 0.0

    @property
    def under_way(self) -> int:
        """Frames that were sent and neither answered nor given up."""
        return len(self._sent)

    @property
    def expected_s(self) -> float:
        """Seconds that one more frame is expected to take."""
        now = self._clock()
        usual_s = START_S if self._usual_s is None else self._usual_s
        if self._sent:
            usual_s = max(usual_s, now - next(iter(self._sent.values()), now))
        elif self._usual_s is not None:
            usual_s *= self._faded(now)
        return usual_s * (len(self._sent) + 1)

    def sent(self) -> int:
        """A frame is sent; returns the number that names it."""
        number = next(self._numbers)
        self._sent[number] = self._clock()
        return number

    def answered(self, number: int) -> float:
        """The frame was answered; returns the seconds that it took."""
        took_s = self._ended(number)
        self._take(took_s)
        return took_s

    def gave_up(self, number: int, *, late: bool = False) -> None:
        """The frame was not answered. `late`: although it was waited for, which counts as an answer that took so long."""
        took_s = self._ended(number)
        if late:
            self._take(took_s)

    def forget(self) -> None:
        """What was usual no longer is: the cloud was away."""
        self._usual_s = None

    def _ended(self, number: int) -> float:
        return self._clock() - self._sent.pop(number)

    def _take(self, took_s: float) -> None:
        now = self._clock()
        if self._usual_s is None:
            self._usual_s = took_s
        else:
            self._usual_s *= self._faded(now)
            self._usual_s += _WEIGHT * (took_s - self._usual_s)
        self._told_at = now

    def _faded(self, now: float) -> float:
        """What is left of the expectation by now."""
        return math.exp(min(0.0, (self._told_at - now) / _FADES_S))
