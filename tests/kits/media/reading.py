"""What the edge makes of a file: its shots, and every word that it says."""

from __future__ import annotations

import inspect
import logging
from contextlib import closing, contextmanager
from dataclasses import dataclass, field
from typing import TYPE_CHECKING

from edge.sources.registry import open_source
from shared.errors import SourceError

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from edge.sources.base import Shot

MOST_SHOTS = 1000  # a source that never ends is a miss


@dataclass
class Reading:
    """What came, up to its end or an error."""

    shots: list[Shot] = field(default_factory=list)
    said: list[str] = field(default_factory=list)
    """Log lines, warnings and above."""
    told: list[str] = field(default_factory=list)
    """Log lines below that."""
    undecodable: int = 0
    refusal: str = ""
    """The error that ended it."""

    def count(self) -> None:
        self.undecodable += 1


class _Ear(logging.Handler):
    def __init__(self, reading: Reading) -> None:
        super().__init__()
        self._reading = reading

    def emit(self, record: logging.LogRecord) -> None:
        lines = self._reading.said if record.levelno >= logging.WARNING else self._reading.told
        lines.append(record.getMessage())


@contextmanager
def _listening(reading: Reading) -> Iterator[None]:
    log, ear = logging.getLogger("edge"), _Ear(reading)
    level = log.level
    log.addHandler(ear)
    log.setLevel(logging.INFO)
    try:
        yield
    finally:
        log.removeHandler(ear)
        log.setLevel(level)


def read(path: Path) -> Reading:
    """Read the file at `path` to its end."""
    reading = Reading()
    known = inspect.signature(open_source).parameters
    counted = {"on_undecodable": reading.count} if "on_undecodable" in known else {}
    with _listening(reading):
        try:
            with closing(open_source(str(path), **counted)) as source:
                source.open()
                while len(reading.shots) < MOST_SHOTS and (shot := source.read()) is not None:
                    reading.shots.append(shot)
        except SourceError as error:
            reading.refusal = str(error)
    return reading
