"""Many random inputs for one reader. Each has a random generator of its own, so that one that fails can be made again by itself.

make fuzz                         as CI does, with other inputs each time; under two minutes
make fuzz ROUNDS=30               thirty times as many, about an hour
make fuzz SEED=1234               the inputs of the run that named this seed
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
SEED = os.environ.get("FUZZ_SEED") or str(random.SystemRandom().randrange(10**9))
os.environ["FUZZ_SEED"] = SEED  # for pytest's other processes
_MAX_CPU_S = 10.0
"""Computing for one input, far above what any limit allows: only an input that gets out of hand takes so long."""
_MAX_GROWTH_KIB = 1 << 20
"""By which a campaign may make this process larger: a few of the largest frames at once."""
_SHOWN = 600


def try_out(
    name: str, count: int, make: Callable[[random.Random], bytes], check: Callable[[bytes], object]
) -> float:
    """Make `count` inputs and `check` each, which raises if it finds a fault; the share that it took for something, not None.

    Raises AssertionError that says how to make the input again.
    """
    taken, before, count = 0, _peak_kib(), max(1, int(count * ROUNDS))
    for number in range(count):
        data = make(random.Random(f"{SEED} {name} {number}"))
        start = time.thread_time()
        try:
            taken += check(data) is not None
            seconds = time.thread_time() - start
            assert seconds < _MAX_CPU_S, f"{seconds:.1f} s of computing for one input"
        except BaseException as error:
            shown = data if len(data) <= _SHOWN else data[:_SHOWN] + b"..."
            error.add_note(
                f"input {number} of {name}, {len(data)} bytes; again: make fuzz SEED={SEED}; {shown!r}"
            )
            raise
    grown = _peak_kib() - before
    assert grown < _MAX_GROWTH_KIB, f"{name}: this process grew by {grown >> 10} MiB; make fuzz SEED={SEED}"
    return taken / count


def _peak_kib() -> int:
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
