"""What an attack has done to an honest client and to the cloud, and whether that is more than it may."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from bench.report.spread import percentile, short

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.report.report import Cell

MAX_P99_RATIO = 2.0
MAX_REFUSED = 0
MAX_MEMORY_RATIO = 1.3
MAX_TURN_S = 0.020
MAX_LOG_BYTES_A_MINUTE = 20_000.0


@dataclass(frozen=True)
class Spell:
    """Some seconds of an honest client."""

    seconds: float
    frames: Sequence[tuple[float, bool]]
    """Each frame's seconds to its answer, and whether it was answered."""
    resident: int
    """The most bytes that the cloud had meanwhile."""
    logged: int
    """Bytes that it wrote to its log."""


@dataclass
class Outcome:
    """Quiet spells and attacked ones in turn, the quiet one first."""

    name: str
    quiet: list[Spell] = field(default_factory=list)
    attacked: list[Spell] = field(default_factory=list)
    turn_s: float = 0.0
    """The longest turn of the cloud's event loop, in seconds of processor time."""
    sent: Mapping[str, int] = field(default_factory=dict)
    """What the attacker was answered, by status; 0 is none."""

    @property
    def p99_ratio(self) -> float:
        return _p99(self.attacked) / _p99(self.quiet)

    @property
    def refused(self) -> int:
        """Honest frames without an answer in the attacked spells."""
        return sum(not answered for spell in self.attacked for _, answered in spell.frames)

    @property
    def memory_ratio(self) -> float:
        """To before the first attack."""
        return max(spell.resident for spell in self.attacked) / self.quiet[0].resident

    @property
    def logged_a_minute(self) -> float:
        return (
            60 * sum(spell.logged for spell in self.attacked) / sum(spell.seconds for spell in self.attacked)
        )

    def missed(self) -> list[str]:
        """The targets that were missed, for people; NaN is a miss."""
        found = {
            "p99": self.p99_ratio <= MAX_P99_RATIO,
            "refused": self.refused <= MAX_REFUSED,
            "memory": self.memory_ratio <= MAX_MEMORY_RATIO,
            "turn": self.turn_s <= MAX_TURN_S,
            "log": self.logged_a_minute <= MAX_LOG_BYTES_A_MINUTE,
        }
        return [name for name, held in found.items() if not held]

    def line(self) -> str:
        """For whoever waits for the table."""
        return "; ".join(
            f"{name}: {short(cell) if isinstance(cell, float) else cell}" for name, cell in self.row().items()
        )

    def row(self) -> dict[str, Cell]:
        """Its row of the table."""
        return {
            "attack": self.name,
            "p50 quiet, ms": 1e3 * percentile(_answered(self.quiet), 50),
            "p50 attacked, ms": 1e3 * percentile(_answered(self.attacked), 50),
            "p99 quiet, ms": 1e3 * _p99(self.quiet),
            "p99 attacked, ms": 1e3 * _p99(self.attacked),
            "p99 ratio": self.p99_ratio,
            "frames": sum(len(spell.frames) for spell in self.attacked),
            "refused": self.refused,
            "memory, MB": self.quiet[0].resident / 1e6,
            "memory ratio": self.memory_ratio,
            "turn, ms": 1e3 * self.turn_s,
            "log, kB/min": self.logged_a_minute / 1e3,
            "attacker's answers": ", ".join(
                f"{count} x {status}" for status, count in sorted(self.sent.items())
            ),
            "missed": ", ".join(self.missed()) or "-",
        }


def _answered(spells: Sequence[Spell]) -> list[float]:
    return [seconds for spell in spells for seconds, answered in spell.frames if answered]


def _p99(spells: Sequence[Spell]) -> float:
    return percentile(_answered(spells), 99)


def told(outcomes: Sequence[Outcome]) -> str:
    """One line: how many attacks were withstood, and which targets the others missed."""
    failed = [f"{each.name} ({', '.join(each.missed())})" for each in outcomes if each.missed()]
    withstood = f"{len(outcomes) - len(failed)} of {len(outcomes)} attacks withstood"
    return f"{withstood}; missed by {'; '.join(failed)}" if failed else withstood
