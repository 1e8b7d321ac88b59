"""What must become of a file: it is read whole, it is refused, or what is spoilt of it is known."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from kits.media.comparing import Clock, compare_pictures, compare_times, nearest
from kits.media.distance import distance
from kits.media.making import Spoilt, kept
from kits.media.reading import read
from kits.media.reference import Seen, shown
from kits.media.row import Outcome
from kits.media.spoiling import Packet

if TYPE_CHECKING:
    from collections.abc import Callable
    from pathlib import Path

    from kits.media.making import Maker
    from kits.media.reading import Reading

    from edge.sources.base import Shot


@dataclass(frozen=True)
class Whole:
    """Every frame is given, in order, as ffmpeg shows it, at ffmpeg's time, and nothing is said but what is asked for."""

    reference: Callable[[Path], list[Seen]] = shown
    clock: Clock = "same"
    saying: str = ""

    def judge(self, path: Path, maker: Maker, reading: Reading) -> Outcome:
        """All of that."""
        del maker
        right, shots = self.reference(path), reading.shots
        outcome = Outcome(len(shots))
        outcome.need(not reading.refusal, f"refused: {reading.refusal}")
        outcome.need(len(shots) == len(right), f"{len(shots)} of {len(right)} frames")
        pairs = list(zip(shots, right, strict=False))
        compare_pictures(outcome, pairs)
        compare_times(outcome, pairs, self.clock)
        times = [shot.media_time_s for shot in shots if shot.media_time_s is not None]
        outcome.need(self.clock == "none" or times == sorted(set(times)), f"times {times[:8]}")
        numbers = [shot.number for shot in shots]
        outcome.need(numbers == list(range(len(shots))), f"numbers {numbers}")
        marked = [index for index, shot in enumerate(shots) if shot.damaged]
        outcome.need(not marked, f"called damaged: {marked}")
        outcome.need(not reading.undecodable, f"{reading.undecodable} called undecodable")
        lines = reading.said + reading.told * bool(self.saying)
        outcome.need(
            not self.saying or any(self.saying in line for line in lines), f"nobody said {self.saying}"
        )
        outcome.need(self.saying or not lines, f"said: {lines[:1]}")
        return outcome


@dataclass(frozen=True)
class Refused:
    """No frame is given, and the error is one line with these words."""

    words: tuple[str, ...]

    def judge(self, path: Path, maker: Maker, reading: Reading) -> Outcome:
        """Compare the error with the words."""
        del maker
        reason = reading.refusal.replace(str(path), path.name)
        outcome = Outcome(len(reading.shots), verdict=f"refused: {reason}")
        outcome.need(not reading.shots, f"{len(reading.shots)} frames")
        outcome.need(reading.refusal, "not refused")
        outcome.need("\n" not in reading.refusal, "more than one line")
        missing = [word for word in self.words if word.lower() not in reason.lower()]
        outcome.need(not missing, f"refused without {missing}: {reason}")
        return outcome


@dataclass(frozen=True)
class Spoiled:
    """Frames that are not marked are as those of the whole file; at most `lost` are missing or marked, and that is counted."""

    lost: int
    truncated: bool = False
    """Whether the container tells that its end is missing, which must be said; or else nothing of the kind may be said."""
    silent: bool = False
    """Whether nobody can know that something is missing."""
    hidden: bool = False
    """Whether nobody can know which frames are wrong, as the decoder takes all that it is given: at most `lost` are."""
    moved: bool = False
    """Whether the clock begins elsewhere than that of the whole file."""

    def judge(self, path: Path, maker: Maker, reading: Reading) -> Outcome:
        """All of that."""
        assert isinstance(maker, Spoilt)
        origin = kept(maker.of, path.parent, path.suffix)
        right = shown(origin)
        good = [shot for shot in reading.shots if not shot.damaged]
        outcome = Outcome(len(reading.shots), verdict=f"{len(good)} of {len(right)} good")
        outcome.need(not reading.refusal, f"refused: {reading.refusal}")
        outcome.need(len(good) >= len(right) - self.lost, f"only {len(good)} of {len(right)} good frames")
        self._compare(outcome, good, right, origin, exact=isinstance(maker.change, Packet))
        numbers = [shot.number for shot in reading.shots]
        outcome.need(numbers == sorted(set(numbers)), f"numbers {numbers}")
        counted = reading.undecodable + len(reading.shots) - len(good)
        outcome.need(self.silent or self.hidden or self.truncated or counted, "not counted")
        told = any("truncated" in line for line in reading.said)
        outcome.need(told == self.truncated, "called truncated" if told else "not called truncated")
        return outcome

    def _compare(
        self, outcome: Outcome, good: list[Shot], right: list[Seen], origin: Path, *, exact: bool
    ) -> None:
        whole = read(origin).shots
        known = len(whole) == len(right) and all(shot.media_time_s is not None for shot in whole)
        if self.moved or not known:
            pairs = [(shot, nearest(shot, right)) for shot in good]
            compare_pictures(outcome, [] if self.hidden else pairs)
            return
        clock = [Seen(seen.picture, shot.media_time_s) for seen, shot in zip(right, whole, strict=True)]
        pairs = [(shot, _at_its_time(shot, clock)) for shot in good]
        if self.hidden:
            near = [pair for pair in pairs if distance(pair[0].picture, pair[1].picture).near]
            outcome.need(len(near) >= len(right) - self.lost, f"only {len(near)} frames are right")
            pairs = near
        compare_pictures(outcome, pairs)
        compare_times(outcome, pairs, "same")
        places = [clock.index(seen) for _, seen in pairs]
        numbers = [shot.number for shot, _ in pairs]
        outcome.need(not exact or numbers == places, f"numbers {numbers}, not {places}")


def _at_its_time(shot: Shot, clock: list[Seen]) -> Seen:
    return min(clock, key=lambda seen: abs((seen.time_s or 0.0) - (shot.media_time_s or 0.0)))
