"""The usual value of a quantity that is measured again and again."""

from __future__ import annotations

from collections import deque

_WINDOW = 12
_JUMP = 1.5
_SURE = 3


class Tracker:
    """The usual value of a noisy quantity that may jump: a quantile of the latest values.

    Outliers do not count; several in a row are not outliers but a jump. A jump is a change point (Page, 1954, in its simplest
    form): the latest three values all lie a factor of 1.5 on the same side of what was usual before. What was before is then
    forgotten.
    """

    def __init__(self, quantile: float = 0.5) -> None:
        """`quantile`: 0 … 1, the one of the latest values that counts as usual."""
        self._quantile = quantile
        self._values: deque[float] = deque(maxlen=_WINDOW)

    @property
    def value(self) -> float | None:
        """The usual value; None before the first measurement."""
        return self._usual(list(self._values)) if self._values else None

    def or_else(self, default: float) -> float:
        """The usual value, or `default` before the first measurement."""
        value = self.value
        return default if value is None else value

    def is_far(self, value: float) -> bool:
        """Whether this value, seen several times in a row, would be a jump."""
        usual = self.value
        return usual is not None and not usual / _JUMP <= value <= usual * _JUMP

    def add(self, value: float) -> bool:
        """Add a measurement, 0 or above; returns whether it made a jump certain."""
        self._values.append(value)
        latest, before = list(self._values)[-_SURE:], list(self._values)[:-_SURE]
        if len(latest) == _SURE and before:
            usual = self._usual(before)
            if min(latest) > usual * _JUMP or max(latest) < usual / _JUMP:
                self.reset(*latest)
                return True
        return False

    def reset(self, *values: float) -> None:
        """Forget all earlier values, and go on from these."""
        self._values.clear()
        self._values.extend(values)

    def _usual(self, values: list[float]) -> float:
        values = sorted(values)
        place = self._quantile * (len(values) - 1)
        low = int(place)
        high = min(low + 1, len(values) - 1)
        return values[low] + (place - low) * (values[high] - values[low])
