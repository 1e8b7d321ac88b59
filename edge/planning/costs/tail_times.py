"""What a cloud says of its speed."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any

from shared.limits import MAX_TAIL_TIMES

if TYPE_CHECKING:
    from collections.abc import Mapping

_MOST_TOGETHER = 1 << 16
"""Frames of one batch, at most, as far as a cloud's word is taken for it."""
_LONGEST_MS = 3.6e6
"""An hour: no cloud answers a tail that takes longer."""


@dataclass(frozen=True, slots=True)
class TailTimes:
    """Seconds that one run of a tail takes at the cloud."""

    alone_s: Mapping[str, float]
    """With one frame, by split point."""
    by_batch_s: Mapping[int, Mapping[str, float]]
    """With this many frames together, by split point."""

    def batched_s(self, frames: int) -> Mapping[str, float]:
        """The share of one frame, by split point, if `frames` of them come at the same time."""
        sizes = [size for size in self.by_batch_s if size <= frames]
        if not sizes:
            return self.alone_s
        size = max(sizes)
        return {name: seconds / size for name, seconds in self.by_batch_s[size].items()}

    def together_s(self, frames: int, split_point: str) -> float:
        """By how much longer than one frame so many take that come at the same time, or as many as were timed."""
        sizes = [size for size in self.by_batch_s if size <= frames]
        whole_s = self.by_batch_s[max(sizes)].get(split_point, 0.0) if sizes else 0.0
        return max(0.0, whole_s - self.alone_s.get(split_point, whole_s))


def parse_tail_times(said: Mapping[str, Any]) -> TailTimes | None:
    """From the JSON object that `GET /tail-times` answered; None if it makes no sense."""
    try:
        sizes, tails = said["batch_sizes"], said["tails_ms"]
        if len(sizes) * len(tails) > MAX_TAIL_TIMES or not all(map(_is_size, sizes)):
            return None
        rows = {name: [_seconds(ms) for ms in row[: len(sizes)]] for name, row in tails.items()}
        by_batch = {
            size: {name: row[place] for name, row in rows.items()} for place, size in enumerate(sizes)
        }
        return TailTimes(by_batch[1], by_batch)
    except (AttributeError, IndexError, KeyError, OverflowError, TypeError, ValueError):
        return None


def _is_size(size: Any) -> bool:
    return type(size) is int and 1 <= size <= _MOST_TOGETHER


def _seconds(milliseconds: Any) -> float:
    if isinstance(milliseconds, bool) or not 0 <= milliseconds <= _LONGEST_MS:
        raise ValueError
    return float(milliseconds) / 1e3
