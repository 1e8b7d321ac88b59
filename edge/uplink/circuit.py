"""A circuit breaker before the uplink: while the cloud is away, frames do not wait for it.

closed ──(failures in a row, silence)─► open ──(cool-down over, the cloud answers a probe)──► half open
  ▲                                      ▲                                                       │
  └──────────(its answer comes)──────────┼──────────────────── one trial frame ──────────────────┤
                                         └───────────(it fails)──────────────────────────────────┘
"""

from __future__ import annotations

import asyncio
import logging
from enum import StrEnum
from typing import TYPE_CHECKING

from shared.errors import MismatchError

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from prometheus_client import Gauge

_log = logging.getLogger(__name__)

FAILURES_TO_OPEN = 3
COOL_DOWN_S = 0.5
"""Short, so that a cloud that is back is soon noticed; a trial delays no frame, as the edge answers it."""
_PROBE_PERIOD_S = 0.1


class State(StrEnum):
    """Whether frames go to the cloud."""

    CLOSED = "closed"
    OPEN = "open"
    HALF_OPEN = "half_open"


class Circuit:
    """Decides for each frame whether the cloud is asked. Used from the event loop only."""

    def __init__(
        self,
        gauge: Gauge | None,
        clock: Callable[[], float],
        opened: Callable[[], object] = lambda: None,
        *,
        label: str = "circuit",
        instead: str = "the edge answers by itself",
    ) -> None:
        """`opened` is called whenever the circuit opens. `gauge`: for its state, if that is exported.

        `label` and `instead` are what the log calls it, and says of the frames while it is open.
        """
        self.state = State.CLOSED
        self.era = 0
        """Counts the changes of state. A frame that was allowed in an earlier era says nothing about this one."""
        self._gauge = gauge
        self._clock = clock
        self._opened = opened
        self._label = label
        self._instead = instead
        self.on_change: Callable[[State, State], object] | None = None
        """Called with the state before and the one now."""
        self._failures = 0
        self._succeeded_at = float("-inf")
        self._probe_at = 0.0
        self._trial_under_way = False

    @property
    def is_closed(self) -> bool:
        """Whether frames go to the cloud."""
        return self.state is State.CLOSED

    @property
    def is_open(self) -> bool:
        """Whether no frame goes to the cloud."""
        return self.state is State.OPEN

    @property
    def is_half_open(self) -> bool:
        """Whether one frame may try the cloud."""
        return self.state is State.HALF_OPEN

    def allows(self) -> bool:
        """Whether the next frame may go. In the half-open state this hands out the one trial."""
        if self.state is State.HALF_OPEN and not self._trial_under_way:
            self._trial_under_way = True
            return True
        return self.state is State.CLOSED

    def wants_probe(self) -> bool:
        """Whether it is time to ask the cloud whether it is back."""
        return self.state is State.OPEN and self._clock() >= self._probe_at

    def probe_answered(self, *, well: bool) -> None:
        """The cloud answered the probe, or did not. A probe delays no frame, so its period does not grow."""
        if self.state is State.OPEN:
            if well:
                self._enter(State.HALF_OPEN, "the cloud answers again; trying one frame")
            else:
                self._probe_at = self._clock() + COOL_DOWN_S

    def succeeded(self) -> None:
        """A frame was answered in time. Even one of an earlier era shows that the cloud answers."""
        self._failures = 0
        self._succeeded_at = self._clock()
        if self.state is State.HALF_OPEN:
            self._enter(State.CLOSED, "the cloud is back")

    def failed(self, reason: str, era: int, waited_since: float | None = None) -> None:
        """A frame that was allowed in `era` was not answered in time.

        `waited_since`: when it was sent, if it waited until its deadline. If nothing came back from the cloud meanwhile, the
        circuit opens at once, so that the next frames need not each find that out.
        """
        if era != self.era:
            return
        self._failures += 1
        if self.state is State.HALF_OPEN:
            self.open(f"the trial frame failed ({reason})")
        elif self.state is State.CLOSED and self._failures >= FAILURES_TO_OPEN:
            self.open(f"{self._failures} frames in a row failed ({reason})")
        elif self.state is State.CLOSED and waited_since is not None and self._succeeded_at < waited_since:
            self.open(f"nothing came back from the cloud ({reason})")

    def released(self, era: int) -> None:
        """A frame that was allowed in `era` was not sent after all."""
        if era == self.era:
            self._trial_under_way = False

    def open(self, why: str) -> None:
        """Stop asking the cloud until a probe succeeds."""
        self._probe_at = self._clock() + COOL_DOWN_S
        self._enter(State.OPEN, f"{why}; {self._instead}")
        self._opened()

    async def probe(self, greet: Callable[[], Awaitable[object]]) -> None:
        """While the circuit is open, find out when the cloud is back, without delaying a frame. Runs until cancelled.

        `greet` raises if the cloud is not there.
        """
        told = ""
        while True:
            await asyncio.sleep(_PROBE_PERIOD_S)
            if self.wants_probe():
                try:
                    await greet()
                # This does not resolve itself, so it is logged, once.
                except MismatchError as error:
                    if str(error) != told:
                        _log.warning("%s", error)
                    told = str(error)
                    self.probe_answered(well=False)
                except Exception as error:  # noqa: BLE001 - without probes the circuit would never close again
                    _log.debug("probe: %s", error or type(error).__name__)
                    self.probe_answered(well=False)
                else:
                    told = ""
                    self.probe_answered(well=True)

    def _enter(self, state: State, why: str) -> None:
        level = logging.WARNING if state is State.OPEN else logging.INFO
        _log.log(level, "%s %s: %s", self._label, state, why)
        before, self.state = self.state, state
        self.era += 1
        self._trial_under_way = False
        self._failures = 0
        if self._gauge:
            for each in State:
                self._gauge.labels(state=each.value).set(each is state)
        if self.on_change:
            self.on_change(before, state)
