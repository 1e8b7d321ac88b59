"""Times several engines' halves against each other, so that what else the machine does falls on all alike."""

from __future__ import annotations

import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared.engines.choosing.busy import BusyMeter

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping

MARGIN = 0.1
"""A less precise engine must be faster by this share of the time, in minimum and median, to be preferred."""
_MIN_ROUNDS = 7
_MIN_SECONDS = 0.6
"""Long enough for /proc/stat, which counts in hundredths of a second."""
_MAX_ROUNDS = 500
_TRIAL_ROUNDS = 3
_HOPELESS = 2.0
"""After the trial rounds an engine whose fastest run took so many times the median of another one is not run any more."""


@dataclass(frozen=True)
class Times:
    """One engine's times of one run, in milliseconds."""

    minimum: float
    median: float

    def clearly_below(self, other: Times) -> bool:
        """Whether these are shorter by more than the margin, in minimum and median."""
        limit = 1 - MARGIN
        return self.minimum < limit * other.minimum and self.median < limit * other.median


@dataclass(frozen=True)
class Measurement:
    """The times of all, and whether the machine was busy with something else meanwhile."""

    times: dict[str, Times]
    busy: bool


class Timer:
    """Takes measurements; clock and meter can be a test's."""

    def __init__(
        self,
        clock: Callable[[], float] = time.perf_counter,
        meter: Callable[[int], BusyMeter] = BusyMeter,
    ) -> None:
        """`clock` returns seconds; `meter` makes a meter, begun, for so many computing threads."""
        self._clock = clock
        self._meter = meter

    def measure(self, runs: Mapping[str, Callable[[], object]], threads: int) -> Measurement:
        """Run each in turn, over and over: A B A B …; the first round does not count. Raises what a run raises.

        An engine that is far slower than another is left out after a few rounds: a start should not wait for it.
        """
        for run in runs.values():
            run()
        taken: dict[str, list[float]] = {name: [] for name in runs}
        left = dict(runs)
        begin = self._clock()
        meter = self._meter(threads)
        rounds = 0
        while rounds < _MIN_ROUNDS or (self._clock() - begin < _MIN_SECONDS and rounds < _MAX_ROUNDS):
            for name, run in left.items():
                start = self._clock()
                run()
                taken[name].append(1e3 * (self._clock() - start))
            rounds += 1
            if rounds == _TRIAL_ROUNDS:
                limit = _HOPELESS * min(map(statistics.median, taken.values()))
                left = {name: run for name, run in runs.items() if min(taken[name]) <= limit}
        times = {name: Times(min(each), statistics.median(each)) for name, each in taken.items()}
        return Measurement(times, meter.busy())
