"""Which of a source's frames are taken, where fewer are wanted than it gives."""

from __future__ import annotations

import math

_EARLY = 0.25
"""How early a frame may be at most, in periods: a camera's own frames come a little before or after their time."""


class Rate:
    """Takes at most so many frames per second in the long run, as evenly as the source's own frames allow."""

    def __init__(self, fps: float) -> None:
        """With `fps` 0 every frame is taken."""
        self._period_s = 1 / fps if fps else 0.0
        self._due_s = self._last_s = -math.inf

    def takes(self, time_s: float | None) -> bool:
        """Whether to take a frame of this time, in seconds of the source's clock or of ours; one without a time is taken."""
        period_s = self._period_s
        if not period_s or time_s is None:
            return True
        since_last_s, self._last_s = time_s - self._last_s, time_s
        if time_s < self._due_s - 2 * period_s:  # the clock has begun anew
            self._due_s = -math.inf
        # The frame that is nearest to its time: this one, if the next is going to be later than this one is early.
        if time_s < self._due_s - min(_EARLY * period_s, max(0.0, since_last_s / 2)):
            return False
        late_s = time_s - self._due_s
        # After a pause nothing is made up for.
        self._due_s = (self._due_s if late_s < period_s else time_s) + period_s
        return True
