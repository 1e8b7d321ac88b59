"""The tails of one network behind every split point.

Which split points are asked for is the clients' choice, so what that may cost is bounded here: the tails at the default split point and
at those that the settings list are compiled on their own, at the start. All others are the last segments of a chain, which is compiled once
however many of them are asked for: one cut at the ends of stages, one cut everywhere. A few that many frames come at may have a leg as well.
"""

from __future__ import annotations

import logging
import threading
import time
from functools import partial
from typing import TYPE_CHECKING

from cloud.access.refusals import OverQuotaError
from cloud.batching.crossing import Joining
from shared.engines.segmented import Chain, Segmented, segmented
from shared.errors import EngineError, SplitPointError
from shared.limits import MAX_OWN_TAILS
from shared.network.partition import INPUT, OUTPUT
from shared.network.stage_ends import stage_ends
from shared.process.memory import trim

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from cloud.batching.crossing import Crossing
    from cloud.networks.legs import Legs
    from shared.engines import Engine
    from shared.engines.half import Half, Tensors
    from shared.engines.segmented import ChainRun
    from shared.network.partition import Partition, SplitPoint

_log = logging.getLogger(__name__)

IDLE_S = 300.0
"""A tail that is in no chain may go for another one when it was not used for so long."""
PAUSE_S = 60.0
"""What cannot be compiled is not tried again before that."""


class Tails:
    """Runs the tail of any split point that a frame names: an edge may change its own between two frames. For any thread."""

    def __init__(
        self,
        partition: Partition,
        engine: Engine,
        clock: Callable[[], float] = time.monotonic,
        *,
        everywhere: bool = True,
        one_thread: bool = False,
        legs: Legs | None = None,
    ) -> None:
        """`clock` returns seconds. Without `everywhere`, frames cross at the ends of stages and where a tail is compiled already.

        `one_thread`: what `begin` gives is advanced by one thread only. Without `legs` there are none.
        """
        self.legs = legs
        self._partition = partition
        self._engine = engine
        self._clock = clock
        self._everywhere = everywhere
        self._one_thread = one_thread
        self._ends: dict[str, Half] = {}
        """The tails of the chain that is cut at the ends of stages."""
        self._fine: dict[str, Half] = {}
        """Those of the chain that is cut at every split point, as far as they are not in the other one."""
        self._own: dict[str, float] = {}
        """The split points that no chain can be cut at, each with when it was last used."""
        self._failed: tuple[float, EngineError] | None = None
        self._chains_from = float("-inf")
        self._lock = threading.RLock()
        self._joining = Joining()

    @property
    def chained(self) -> bool:
        """Whether the chain at the ends of stages is there, which planners choose from."""
        return bool(self._ends)

    def is_ready(self, split_point: str) -> bool:
        """Whether a frame at this split point need not wait for a compilation."""
        return self._at_hand(self._partition.point(split_point)) is not None

    def make_ready(self, ends: Sequence[SplitPoint]) -> None:
        """Compile the tails at `ends` and at `input` as one chain, which takes the memory of one network for all of them.

        After that no frame waits for a compilation when an edge changes to one of these split points. Raises EngineError.
        """
        with self._lock:
            if not self._ends:
                start, end = self._partition.ends
                chain = segmented(self._engine, [start, *ends, end])
                self._ends = {point.name: chain.tail(point) for point in chain.points[:-1]}

    def prepare(self, split_point: str) -> None:
        """Compile what the tail at this split point needs, if it is not ready: takes seconds, so it is not for a tail's thread.

        Raises EngineError if it cannot be compiled, OverQuotaError if it needs a place of its own and all are in use, and
        SplitPointError if frames may not cross there.
        """
        point = self._partition.point(split_point)
        with self._lock:
            if self._at_hand(point):
                return
            self.require_allowed(split_point)
            if self._failed and self._clock() < self._failed[0]:
                raise self._failed[1]
            start = time.perf_counter()
            try:
                self._compile(point)
            except EngineError as error:
                self._failed = self._clock() + PAUSE_S, error
                raise
            finally:
                trim()  # what compiling took beside its result
            _log.info("the tail at %s: ready in %.2f s", split_point, time.perf_counter() - start)

    def run(self, split_point: str, callers: Sequence[Crossing]) -> Tensors:
        """The outputs, each (n, …) for the n frames of all callers, in order. Compiles what is not ready, as `prepare` does.

        `split_point` must exist, and each crossing must be one of its own.
        """
        point = self._partition.point(split_point)
        tail = self._whole(point) or self._leg(split_point, len(callers)) or self._at_hand(point)
        while tail is None:
            self.prepare(split_point)
            tail = self._at_hand(point)
        if split_point in self._own:
            self._own[split_point] = self._clock()
        if isinstance(tail, Chain):
            outputs = tail.begin(callers, one_thread=self._one_thread).advance(lambda _point: False)
            assert outputs is not None
            return outputs
        if point.is_quantised:  # symbols and values of one batch must not be joined as numbers
            callers = [point.symbols(each) for each in callers]
        return self._joining.owned(tail(self._joining.join(callers)))

    def begin(self, split_point: str, callers: Sequence[Crossing], *, pauses: bool = True) -> ChainRun | None:
        """As `run`, but to be gone on with piece by piece; None where there is no chain of this tail. Computes nothing yet.

        Without `pauses` the pieces may be long.
        """
        leg = None if pauses else self._leg(split_point, len(callers))
        chain = leg or self._ends.get(split_point) or self._fine.get(split_point)
        return chain.begin(callers, one_thread=self._one_thread) if isinstance(chain, Chain) else None

    def _leg(self, split_point: str, frames: int) -> Chain | None:
        return self.legs.use(split_point, frames) if self.legs else None

    def is_whole(self, split_point: str) -> bool:
        """Whether this tail is compiled on its own, and so a little faster than a chain's."""
        return self._whole(self._partition.point(split_point)) is not None

    def _whole(self, point: SplitPoint) -> Half | None:
        return self._engine.at_hand("tail", point)

    def require_allowed(self, split_point: str) -> None:
        """Raise SplitPointError if frames may not cross at this split point, which must exist."""
        points = self._partition.points
        usual = [INPUT, *(end.name for end in stage_ends(points.values()))]
        if self._everywhere or split_point in usual:
            return
        accepted = [name for name, point in points.items() if name in usual or self._at_hand(point)]
        raise SplitPointError(f"this cloud takes no frames at {split_point}", accepted=accepted)

    def _at_hand(self, point: SplitPoint) -> Half | None:
        return self._whole(point) or self._ends.get(point.name) or self._fine.get(point.name)

    def _compile(self, point: SplitPoint) -> None:
        """The chain that has this tail; if none can be cut there, the tail on its own."""
        if self._clock() >= self._chains_from:
            self._compile_chain(point)
        if not self._at_hand(point):
            self._give_its_own(point)

    def _compile_chain(self, point: SplitPoint) -> None:
        points = list(self._partition.points.values())
        ends = stage_ends(points)
        # Where several tensors cross, two split points need not be one after the other.
        single = [each for each in points if len(each.shapes) == 1 or each.name in (INPUT, OUTPUT)]
        attempts = [partial(self._cut, points), partial(self._cut, single)]
        if point.name in (INPUT, *(end.name for end in ends)):
            attempts.insert(0, partial(self.make_ready, ends))
        for attempt in attempts:
            try:
                attempt()
            except EngineError as error:
                self._chains_from = self._clock() + PAUSE_S
                _log.info("a chain of segments cannot be compiled: %s", error)
            if self._at_hand(point):
                return

    def _cut(self, points: Sequence[SplitPoint]) -> None:
        """Compile a chain that is cut at all these split points, by the reference if it is imprecise. Raises EngineError."""
        if not self._fine:
            try:
                chain = Segmented(self._engine, points)
            except EngineError as error:
                if not error.imprecise:
                    raise
                chain = Segmented(self._engine.stand_in(error), points)
            self._fine = {point.name: chain.tail(point) for point in chain.points[:-1]}

    def _give_its_own(self, point: SplitPoint) -> None:
        now = self._clock()
        if len(self._own) >= MAX_OWN_TAILS:
            oldest = min(self._own, key=lambda name: self._own[name])
            if now - self._own[oldest] < IDLE_S:
                raise OverQuotaError(
                    f"the tail at {point.name} would have to be compiled on its own, and all {MAX_OWN_TAILS} places are in use",
                    accepted=[*self._own, *self._fine],
                )
            del self._own[oldest]
            self._engine.drop("tail", self._partition.point(oldest))
        self._engine.tail(point)
        self._own[point.name] = now
