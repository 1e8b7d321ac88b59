"""Legs: the way from a split point to the default one without cuts, for the few that most frames come at.

Where a network is cut, an engine puts its tensors into the order that others read and back: ResNet-50's ends of stages cost a sixth of a tail's
time, in int8 a quarter. A leg is compiled from one split point to the default one, and ends in the default tail, which is there anyway: runs from
all legs come by there, so that is where frames of the default split point board. All legs together take no more memory than one network.
"""

from __future__ import annotations

import logging
import time
from collections import Counter
from typing import TYPE_CHECKING, Any

from shared.engines.segmented import Chain
from shared.errors import EngineError

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.engines import Engine
    from shared.engines.half import Half, Segment
    from shared.network.partition import Partition, SplitPoint

_log = logging.getLogger(__name__)

HOT_FRAMES = 15
"""Frames at one split point, from one look to the next, that make a leg worth its memory."""
IDLE_S = 300.0
"""A leg that was not used for so long makes room for another one."""


class Legs:
    """For any thread."""

    def __init__(
        self,
        partition: Partition,
        engine: Engine,
        default: SplitPoint,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`clock` returns seconds."""
        self._partition = partition
        self._engine = engine
        self._default = default
        self._clock = clock
        self._names = list(partition.points)
        self._chains: dict[str, Chain] = {}
        self._bytes: dict[str, int] = {}
        self._used: dict[str, float] = {}
        self._frames: Counter[str] = Counter()
        self._hopeless: set[str] = set()

    def use(self, name: str, frames: int) -> Chain | None:
        """Note that so many frames came at this split point; its leg and all behind it, if it is there."""
        if chain := self._chains.get(name):
            self._used[name] = self._clock()
            return chain
        self._frames[name] += frames  # two threads may lose a few, which does not matter
        return None

    def hot(self) -> list[str]:
        """The split points whose frames since the last call are worth a leg, if they can have one: that of most frames first."""
        frames, self._frames = self._frames, Counter()
        before = (
            set(self._names[: self._names.index(self._default.name)]) - self._hopeless - set(self._chains)
        )
        if not self._engine.minds_cuts:
            return []
        return [name for name, count in frames.most_common() if count >= HOT_FRAMES and name in before]

    def make(self, name: str) -> None:
        """Compile the leg from this split point, if there is room for it; takes a second."""
        point, (start, end) = self._partition.point(name), self._partition.ends
        trunk = self._engine.at_hand("tail", self._default)
        try:
            size, most = (self._engine.weigh(*ends) for ends in ((point, self._default), (start, end)))
            if trunk is None or not self._has_room(size, most):
                return
            segments = [self._engine.segment(point, self._default), _as_segment(trunk, self._engine.form)]
            chain = Chain(
                self._engine.form, segments, [point, self._default], one_by_one=self._engine.one_by_one
            )
            self._engine.check("tail", point, chain)
        except EngineError as error:
            self._hopeless.add(name)
            _log.info("no leg from %s: %s", name, error)
            return
        self._bytes[name], self._used[name], self._chains[name] = size, self._clock(), chain
        _log.info("the leg from %s to %s is ready", name, self._default.name)

    def _has_room(self, size: int, most: int) -> bool:
        """Whether so many bytes more are fewer than `most`, without the legs that nobody uses, which go then."""
        now = self._clock()
        # Of those that are there: a frame may note the use of one that has just gone.
        busy = [name for name in self._chains if now - self._used[name] < IDLE_S]
        if sum(self._bytes[name] for name in busy) + size > most:
            return False
        for name in set(self._chains) - set(busy):
            del self._chains[name], self._bytes[name], self._used[name]
        return True


def _as_segment(tail: Half, form: Any) -> Segment:
    return lambda packed: form.pack(tail(form.unpack(packed)))
