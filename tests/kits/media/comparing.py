"""Shots against what should have been seen."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal

from kits.media.distance import MOST_TIME_S, distance

if TYPE_CHECKING:
    from collections.abc import Sequence

    from kits.media.reference import Seen
    from kits.media.row import Outcome

    from edge.sources.base import Shot

Clock = Literal["same", "between", "none"]
"""What must agree: the times; the times after that of the first frame, where containers do not say when that is; nothing, where
ffmpeg makes times up."""


def compare_pictures(outcome: Outcome, pairs: Sequence[tuple[Shot, Seen]]) -> None:
    """Note the greatest distance, and the first frame that is too far away."""
    for index, (shot, seen) in enumerate(pairs):
        apart = distance(shot.picture, seen.picture)
        outcome.worst = max(outcome.worst, apart)
        if not apart.near:
            ours, right = (f"{each.shape[1]}x{each.shape[0]}" for each in (shot.picture, seen.picture))
            outcome.misses.append(
                f"frame {index}: " + (f"{apart} away" if ours == right else f"{ours}, not {right}")
            )
            break


def compare_times(outcome: Outcome, pairs: Sequence[tuple[Shot, Seen]], clock: Clock) -> None:
    """Note by how much the times differ at most, in seconds."""
    timed = [(shot.media_time_s, seen.time_s) for shot, seen in pairs if seen.time_s is not None]
    if clock == "none" or not timed:
        return
    known = [(ours, right) for ours, right in timed if ours is not None and right is not None]
    outcome.need(len(known) == len(timed), f"{len(timed) - len(known)} frames without a media time")
    if not known:
        return
    zero = known[0][0] - known[0][1] if clock == "between" else 0.0
    outcome.time_s = max(abs(ours - right - zero) for ours, right in known)
    outcome.need(outcome.time_s <= MOST_TIME_S, f"media time {outcome.time_s:.3f} s off")


def nearest(shot: Shot, among: Sequence[Seen]) -> Seen:
    """The frame whose picture is least far away."""
    return min(among, key=lambda seen: distance(shot.picture, seen.picture))
