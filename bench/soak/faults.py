"""What goes wrong during a soak, and when: rounds in which every fault has its turn, in an order that the seed decides."""

from __future__ import annotations

import random
import time
from collections import Counter
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

from bench.emulator.link import Link

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from bench.emulator.thread import EmulatorThread
    from bench.harness.system import Cloud

FAULTS = (
    "kill", "restart", "pause", "cut", "cut in a frame", "corrupt up", "corrupt down", "blackout", "black hole", "refuse",
    "narrow", "bad radio",
)  # fmt: skip
_MIN_GAP_S, _MAX_GAP_S = 2.0, 5.0
_MIN_FAULT_S, _MAX_FAULT_S = 0.5, 4.0
_READY_S = 240.0
_FRAME_BYTES = 16_000
"""About; where in a frame something happens is drawn from so many."""
_BAD_LINKS = {
    "narrow": Link(up_bits_per_s=1e6, down_bits_per_s=1e6, delay_s=0.03),
    "bad radio": Link(up_bits_per_s=20e6, down_bits_per_s=20e6, delay_s=0.05, jitter_s=0.03, loss=0.02),
}


@dataclass(frozen=True)
class Fault:
    """After a quiet `gap_s` seconds: `kind` for `seconds`, if it is one that lasts."""

    gap_s: float
    kind: str
    seconds: float
    at_bytes: int


def schedule(seed: int) -> Iterator[Fault]:
    """An endless sequence of faults. The same seed gives the same ones."""
    chance = random.Random(seed)  # noqa: S311 - nothing to guard
    while True:
        for kind in chance.sample(FAULTS, len(FAULTS)):
            yield Fault(
                chance.uniform(_MIN_GAP_S, _MAX_GAP_S),
                kind,
                chance.uniform(_MIN_FAULT_S, _MAX_FAULT_S),
                chance.randrange(_FRAME_BYTES),
            )


class Breaker:
    """Injects faults into one cloud and one link; after each, everything works again."""

    def __init__(self, cloud: Cloud, link: EmulatorThread, wait: Callable[[float], object]) -> None:
        """`wait` sleeps. It may raise to end the soak; what is broken then is mended first."""
        self._cloud = cloud
        self._link = link
        self._wait = wait
        self.done: Counter[str] = Counter()
        self.recoveries_s: list[float] = []
        """Each cloud's time from its start until it was ready."""

    def inject(self, fault: Fault) -> None:
        """Raises RuntimeError if the cloud does not come up again."""
        self.done[fault.kind] += 1
        link, cloud = self._link, self._cloud
        match fault.kind:
            case "kill":
                cloud.kill()
                self._wait(fault.seconds)
                self._start()
            case "restart":
                if status := cloud.stop():
                    raise RuntimeError(f"asked to stop, the cloud ended with {status}:\n{cloud.said()}")
                self._start()
            case "pause":
                self._while(fault, cloud.pause, cloud.resume)
            case "cut":
                link.cut()
            case "cut in a frame":
                link.cut(after_bytes=fault.at_bytes)
            case "corrupt up":
                link.corrupt(3, skip=fault.at_bytes)
            case "corrupt down":
                link.corrupt(3, direction="down", skip=fault.at_bytes // 10)
            case "blackout" | "black hole" | "refuse":
                switch = getattr(link, fault.kind.replace(" ", "_"))
                self._while(fault, partial(switch, on=True), partial(switch, on=False))
            case "narrow" | "bad radio":
                self._while(fault, partial(link.change, _BAD_LINKS[fault.kind]), partial(link.change, Link()))
            case _:
                raise ValueError(f"no fault {fault.kind!r}; there are: {', '.join(FAULTS)}")

    def _start(self) -> None:
        start = time.monotonic()
        self._cloud.start()
        self._cloud.wait_until_ready(_READY_S)
        self.recoveries_s.append(time.monotonic() - start)

    def _while(self, fault: Fault, begin: Callable[[], object], end: Callable[[], object]) -> None:
        begin()
        try:
            self._wait(fault.seconds)
        finally:
            end()
