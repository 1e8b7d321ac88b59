"""One run of a tail and who is aboard: callers that were there at its start, and those that boarded at a later split point.

Sans-I/O. Rows are in the order of boarding. Time is shared by frames, stretch by stretch: whoever boards late pays for what it used.
"""

from __future__ import annotations

import math
from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Hashable, Iterator, Sequence

    from cloud.batching.fair_queue import Ticket


@dataclass(slots=True)
class Passage:
    """One caller's way through the run."""

    ticket: Ticket
    boarded: float
    """On the loop's clock."""
    away_s: float = 0.0
    """How long the run had been away, in pauses, when it boarded; at its end, while it was aboard."""
    used_s: float = 0.0
    """Its share of the run's time."""
    aboard_s: float = 0.0
    """The run's time while it was aboard."""


class Journey:
    """What each caller of one run has used."""

    def __init__(self, batch: Sequence[Ticket], now_s: float) -> None:
        self.passages: list[Passage] = []
        self.frames = 0
        """Aboard; read by the tail's thread as well."""
        self._mark_s = now_s
        self.board(batch, now_s)

    def board(self, tickets: Sequence[Ticket], now_s: float) -> None:
        """These come aboard, behind all others."""
        self.passages += [Passage(ticket, now_s) for ticket in tickets]
        self.frames += sum(ticket.frames for ticket in tickets)

    def spend(self, now_s: float) -> None:
        """The run has gone on until now."""
        seconds, self._mark_s = now_s - self._mark_s, now_s
        for each in self.passages:
            each.aboard_s += seconds
            each.used_s += seconds * each.ticket.frames / self.frames

    def rest(self, now_s: float) -> None:
        """The run has stood still until now."""
        seconds, self._mark_s = now_s - self._mark_s, now_s
        for each in self.passages:
            each.away_s += seconds

    @property
    def clients(self) -> set[Hashable]:
        return {each.ticket.client for each in self.passages}

    @property
    def until(self) -> float:
        """When the first of them is late."""
        return min((each.ticket.until for each in self.passages), default=math.inf)

    def by_tail(self) -> Iterator[tuple[Hashable, int, float]]:
        """Each tail that callers came for, their frames, and the seconds that these have used."""
        frames: Counter[Hashable] = Counter()
        used_s: Counter[Hashable] = Counter()
        for each in self.passages:
            frames[each.ticket.tail] += each.ticket.frames
            used_s[each.ticket.tail] += each.used_s  # type: ignore[assignment] # seconds are added, not counted
        for tail, count in frames.items():
            yield tail, count, used_s[tail]

    def rows(self) -> Iterator[tuple[Passage, int, int]]:
        """Each with its first row of the outputs and the one behind its last."""
        row = 0
        for each in self.passages:
            yield each, row, row + each.ticket.frames
            row += each.ticket.frames
