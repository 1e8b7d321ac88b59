"""What became of frames in the last minutes: sums for each few seconds, kept whether or not anybody looks."""

from __future__ import annotations

import time
from collections import deque
from typing import TYPE_CHECKING, Any

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.output.results import Record

LAST_S = 300.0
"""So far back."""
_ALWAYS = ("step_s", "slots", "bytes", "latency_ms")


class _Slot:
    """A few seconds."""

    __slots__ = ("answers", "at", "latency_ms", "sent", "timed")

    def __init__(self, at: int) -> None:
        self.at = at
        self.answers = {"cloud": 0, "edge": 0, "still": 0, "nobody": 0}
        self.sent = self.timed = 0
        self.latency_ms = 0.0


class Ring:
    """Takes constant time for a record, and constant memory."""

    def __init__(self, step_s: float, clock: Callable[[], float] = time.monotonic) -> None:
        """`step_s`: how many seconds are summed up to one number."""
        self.step_s = step_s
        self._clock = clock
        self._count = round(LAST_S / step_s)
        self._slots: deque[_Slot] = deque(maxlen=self._count + 1)
        self._begun = int(clock() / step_s)
        self._said: tuple[int, dict[str, Any]] = -1, {}

    def add(self, record: Record) -> None:
        """One frame is done."""
        at = int(self._clock() / self.step_s)
        slots = self._slots
        if not slots or slots[-1].at < at:
            slots.append(_Slot(at))
        slot = slots[-1]
        slot.answers[record.answered_by] += 1
        slot.sent += record.payload_bytes
        if record.answered_by != "still":  # which says nothing of how fast anything is
            slot.timed += 1
            slot.latency_ms += record.latency_ms

    def said(self, *, answers: bool = True) -> dict[str, Any]:
        """Numbers a second, the oldest first, at most `slots` of them; for latency null where no frame was done.

        The seconds that are not over are left out, so that it changes every `step_s` only. With `answers`, how many frames were
        answered, by whom.
        """
        now = int(self._clock() / self.step_s)
        if self._said[0] != now:
            self._said = now, self._summed_up(now)
        said = self._said[1]
        return said if answers else {name: said[name] for name in _ALWAYS}

    def _summed_up(self, now: int) -> dict[str, Any]:
        found = {slot.at: slot for slot in self._slots}
        nothing = _Slot(0)
        chosen = [found.get(at, nothing) for at in range(max(self._begun, now - self._count), now)]
        said: dict[str, Any] = {
            "step_s": self.step_s,
            "slots": self._count,
            "bytes": [round(slot.sent / self.step_s) for slot in chosen],
            "latency_ms": [round(slot.latency_ms / slot.timed, 1) if slot.timed else None for slot in chosen],
        }
        for who in nothing.answers:
            said[who] = [round(slot.answers[who] / self.step_s, 2) for slot in chosen]
        return said
