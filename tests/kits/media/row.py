"""A row of the table: a file, and what must become of it."""

from __future__ import annotations

from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Protocol

from kits.media.distance import Distance

if TYPE_CHECKING:
    from pathlib import Path

    from kits.media.making import Maker
    from kits.media.reading import Reading


@dataclass
class Outcome:
    """What became of a row."""

    frames: int = 0
    worst: Distance = field(default_factory=Distance)
    time_s: float | None = None
    """How far the times of the frames lie from ffmpeg's, at most; None where there is nothing to compare."""
    misses: list[str] = field(default_factory=list)
    verdict: str = "as ffmpeg"

    def need(self, right: object, otherwise: str) -> None:
        """Note `otherwise` as wrong unless this is right."""
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
