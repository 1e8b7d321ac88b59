"""Many random inputs for one reader. Each has a random generator of its own, so that one that fails can be made again by itself.

make fuzz                         as CI does, with other inputs each time; in under two minutes, however busy the machine is
make fuzz ROUNDS=30               thirty times as many, about half an hour
make fuzz SEED=1234               the inputs of the run that named this seed, all of them, however long it takes
"""

from __future__ import annotations

import os
import random
import resource
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from collections.abc import Callable

ROUNDS = float(os.environ.get("FUZZ_ROUNDS") or 1)
_ASKED_FOR = os.environ.get("FUZZ_SEED")
REPEATED = bool(_ASKED_FOR)
"""Whether a seed was asked for: then nothing is cut short, as the input that failed may be the last."""
SEED = _ASKED_FOR or os.environ.get("FUZZ_CHOSEN_SEED") or str(random.SystemRandom().randrange(10**9))
os.environ["FUZZ_CHOSEN_SEED"] = SEED  # for pytest's other processes
_PROCESSES = int(os.environ.get("PYTEST_XDIST_WORKER_COUNT") or 1)
_QUIET_S = 75.0
"""What all campaigns together take on an idle core."""
_MOST_S = 80.0
"""What all processes together may take, from the first input to the last."""
_MAX_CPU_S = 10.0
"""Computing for one input, far above what any limit allows: only an input that gets out of hand takes so long."""
_MAX_GROWTH_KIB = 1 << 20
"""By which a campaign may make this process larger: a few of the largest frames at once."""
_SHOWN = 600
NOTES: list[str] = []
"""How many inputs each campaign tried, where it was fewer than it should."""


class Allowance:
    """How many inputs one campaign tries, and for how long."""

    def __init__(
        self, name: str, count: int, seconds: float, clock: Callable[[], float] = time.monotonic
    ) -> None:
        """`seconds`: what `count` inputs take on an idle core. A busy one gets as much more time as all campaigns can have."""
        self.name = name
        self.count = max(1, int(count * ROUNDS))
        self.tried = 0
        self._clock = clock
        self._limit_s = float("inf") if REPEATED else seconds * ROUNDS * _PROCESSES * _MOST_S / _QUIET_S
        self._until: float | None = None

    def next(self) -> bool:
        """Whether one more may be tried."""
        if self._until is None:
            self._until = self._clock() + self._limit_s
        if self.tried >= self.count or (self.tried and self._clock() >= self._until):
            return False
        self.tried += 1
        return True

    def end(self) -> None:
        """Say so if it was cut short."""
        if self.tried < self.count:
            NOTES.append(
                f"{self.name}: {self.tried} of {self.count} inputs in the {self._limit_s:.0f} s it may take"
            )


def try_out(
    name: str,
    count: int,
    make: Callable[[random.Random], bytes],
    check: Callable[[bytes], object],
    *,
    seconds: float,
) -> float:
    """Make `count` inputs and `check` each, which raises if it finds a fault; the share that it took for something, not None.

    `seconds` is what this takes on an idle core. Raises AssertionError that says how to make the input again.
    """
    taken, before, allowance = 0, _peak_kib(), Allowance(name, count, seconds)
    while allowance.next():
        number = allowance.tried - 1
        data = make(random.Random(f"{SEED} {name} {number}"))
        start = time.thread_time()
        try:
            taken += check(data) is not None
            spent_s = time.thread_time() - start
            assert spent_s < _MAX_CPU_S, f"{spent_s:.1f} s of computing for one input"
        except BaseException as error:
            shown = data if len(data) <= _SHOWN else data[:_SHOWN] + b"..."
            error.add_note(
                f"input {number} of {name}, {len(data)} bytes; again: make fuzz SEED={SEED}; {shown!r}"
            )
            raise
    allowance.end()
    grown = _peak_kib() - before
    assert grown < _MAX_GROWTH_KIB, f"{name}: this process grew by {grown >> 10} MiB; make fuzz SEED={SEED}"
    return taken / allowance.tried


def _peak_kib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
