"""What has travelled within the last hour, and how fast the rest may."""

from __future__ import annotations

from collections import deque

HOUR_S = 3600.0
_SLICE_S = 15.0
"""Bytes of so long are forgotten together, when the latest of them are an hour old."""


class Hour:
    """The bytes of a sliding hour, of which at most `most` may travel. Not thread-safe; times are monotonic seconds."""

    def __init__(self, most: float) -> None:
        self.most = most
        self.spent = 0.0
        """Within the hour before the latest look."""
        self._slices: deque[list[float]] = deque()
        """[end, bytes] of each slice in which something travelled, oldest first: at most 241 of them."""

    def add(self, now_s: float, size: float) -> None:
        """So many bytes have travelled."""
        end_s = (now_s // _SLICE_S + 1) * _SLICE_S
        if not self._slices or self._slices[-1][0] < end_s:
            self._slices.append([end_s, 0.0])
        self._slices[-1][1] += size
        self.spent += size
        self.look(now_s)

    def look(self, now_s: float) -> None:
        """Forget what is older than an hour."""
        while self._slices and self._slices[0][0] + HOUR_S <= now_s:
            self.spent -= self._slices.popleft()[1]
        if not self._slices:
            self.spent = 0.0  # sums of fractions leave a rest

    def pace(self, now_s: float, held: float = 0.0) -> float:
        """Bytes per second that may go on for an hour from now without more than `most` in any hour; `held` are going to travel besides."""
        self.look(now_s)
        kept = self.spent + held
        least = max(0.0, self.most - held) / (HOUR_S + _SLICE_S)
        for end_s, size in self._slices:
            gone_s = end_s + HOUR_S - now_s  # until then all that is kept now counts
            least = min(least, max(0.0, self.most - kept) / gone_s)
            kept -= size
        return least

    def free_at(self, now_s: float, size: float) -> float:
        """When so many bytes may travel if nothing else does: seconds from now; infinite for more than there can ever be."""
        self.look(now_s)
        kept = self.spent
        if self.most - kept >= size:
            return 0.0
        for end_s, spent in self._slices:
            kept -= spent
            if self.most - kept >= size:
                return end_s + HOUR_S - now_s
        return float("inf")
