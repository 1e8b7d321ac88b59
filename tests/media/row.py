"""A row of the table: a file, and what must become of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from media.distance import MOST_TIME_S, Distance, distance
from media.making import Spoilt, kept
from media.reference import Seen, shown

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from edge.sources.base import Shot
    from media.making import Maker
    from media.reading import Reading


@dataclass
class Outcome:
    """What became of a row."""

    frames: int = 0
    worst: Distance = field(default_factory=Distance)
    time_s: float | None = None
    misses: list[str] = field(default_factory=list)
    verdict: str = "as ffmpeg"

    def need(self, right: object, otherwise: str) -> None:
        if not right:
            self.misses.append(otherwise)


class Expected(Protocol):
    """What must become of a file."""

    def judge(self, path: Path, maker: Maker, reading: Reading) -> Outcome:
        """Compare. Everything that is wrong is in the outcome's `misses`."""


@dataclass(frozen=True)
class Row:
    """The file `name`, of the chapter that its table is."""

    name: str
    maker: Maker
    expected: Expected
    short: bool = False
    """Whether `make test` reads it as well."""


@dataclass(frozen=True)
class Whole:
    """Every frame is given, in order, as ffmpeg shows it, at ffmpeg's time, and nothing is said but what is asked for."""

    reference: Callable[[Path], list[Seen]] = shown
    saying: str = ""

    def judge(self, path: Path, maker: Maker, reading: Reading) -> Outcome:
        del maker
        right, shots = self.reference(path), reading.shots
        outcome = Outcome(len(shots))
        outcome.need(not reading.refusal, f"refused: {reading.refusal}")
        outcome.need(len(shots) == len(right), f"{len(shots)} of {len(right)} frames")
        _compare(outcome, list(zip(shots, right, strict=False)))
        numbers = [shot.number for shot in shots]
        outcome.need(numbers == list(range(len(shots))), f"numbers {numbers}")
        outcome.need(not any(shot.damaged for shot in shots), "called damaged")
        outcome.need(not reading.undecodable, f"{reading.undecodable} called undecodable")
        lines = reading.said + reading.told * bool(self.saying)
        outcome.need(not self.saying or any(self.saying in line for line in lines), f"nobody said {self.saying}")
        outcome.need(self.saying or not lines, f"said: {lines[:1]}")
        return outcome


@dataclass(frozen=True)
class Refused:
    """No frame is given, and the error is one line with these words."""

    words: tuple[str, ...]

    def judge(self, path: Path, maker: Maker, reading: Reading) -> Outcome:
        del path, maker
        outcome = Outcome(len(reading.shots), verdict=f"refused: {reading.refusal.rpartition(': ')[2]}")
        outcome.need(not reading.shots, f"{len(reading.shots)} frames")
        outcome.need(reading.refusal, "not refused")
        outcome.need("\n" not in reading.refusal, "more than one line")
        missing = [word for word in self.words if word.lower() not in reading.refusal.lower()]
        outcome.need(not missing, f"refused without {missing}: {reading.refusal}")
        return outcome


@dataclass(frozen=True)
class Spoiled:
    """Frames that are not marked are as those of the whole file; at most `lost` are missing or marked, and that is said."""

    lost: int
    silent: bool = False
    """Whether nobody can know that something is missing."""
    truncated: bool = False
    """Whether the container tells that its end is missing, which must be said."""
    reference: Callable[[Path], list[Seen]] = shown

    def judge(self, path: Path, maker: Maker, reading: Reading) -> Outcome:
        assert isinstance(maker, Spoilt)
        right = self.reference(kept(maker.of, path.parent, path.suffix))
        good = [shot for shot in reading.shots if not shot.damaged]
        outcome = Outcome(len(reading.shots), verdict=f"{len(good)} of {len(right)} good")
        outcome.need(not reading.refusal, f"refused: {reading.refusal}")
        outcome.need(len(good) >= len(right) - self.lost, f"only {len(good)} of {len(right)} good frames")
        _compare(outcome, [(shot, _same(shot, right)) for shot in good])
        numbers = [shot.number for shot in reading.shots]
        outcome.need(numbers == sorted(set(numbers)), f"numbers {numbers}")
        counted = reading.undecodable + len(reading.shots) - len(good)
        outcome.need(self.silent or reading.said, "nobody said so")
        outcome.need(self.silent or self.truncated or counted, "not counted")
        told = any("truncated" in line for line in reading.said)
        outcome.need(told == self.truncated, "called truncated" if told else "not called truncated")
        return outcome


def _same(shot: Shot, right: list[Seen]) -> Seen:
    """The frame of the whole file at the time of this one, or with its number where there are no times."""
    if shot.media_time_s is None:
        return right[min(shot.number, len(right) - 1)]
    return min(right, key=lambda seen: abs((seen.time_s or 0.0) - shot.media_time_s))


def _compare(outcome: Outcome, pairs: list[tuple[Shot, Seen]]) -> None:
    for index, (shot, seen) in enumerate(pairs):
        apart = distance(shot.picture, seen.picture)
        outcome.worst = max(outcome.worst, apart)
        if not apart.near:
            sizes = [f"{each.shape[1]}x{each.shape[0]}" for each in (shot.picture, seen.picture)]
            wrong = f"{sizes[0]}, not {sizes[1]}" if sizes[0] != sizes[1] else f"{apart} away"
            outcome.misses.append(f"frame {index}: {wrong}")
            break
    times = [(shot.media_time_s, seen.time_s) for shot, seen in pairs if seen.time_s is not None]
    if not times:
        return
    outcome.need(all(ours is not None for ours, _ in times), "no media time")
    known = [(ours, right) for ours, right in times if ours is not None]
    outcome.time_s = max((abs(ours - right) for ours, right in known), default=None)
    outcome.need((outcome.time_s or 0.0) <= MOST_TIME_S, f"media time {outcome.time_s} s off")
