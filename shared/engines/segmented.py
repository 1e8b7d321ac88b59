"""A whole network as a chain of segments, for a process that moves the split point while it runs.

Compiled as halves, every split point packs its own copy of the parameters. Cut once at all split points, the network is in
memory once: a head is the first segments and a tail the last. Between segments a tensor stays in the engine's own form.
"""

from __future__ import annotations

import itertools
import threading
import time
import weakref
from typing import TYPE_CHECKING

from shared.engines.base import joined, row_by_row
from shared.engines.half import QuantisedHead
from shared.errors import EngineError
from shared.network.partition import INPUT, OUTPUT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence
    from typing import Any

    from shared.engines.base import Engine
    from shared.engines.half import Half, Segment, TensorForm, Tensors
    from shared.network.partition import SplitPoint


class Chain:
    """A half that is segments one after another; it may also be run with pauses between them. For any thread."""

    def __init__(
        self,
        form: TensorForm,
        segments: Sequence[Segment],
        starts: Sequence[SplitPoint],
        *,
        one_by_one: bool,
    ) -> None:
        """`starts`: where each segment begins. `one_by_one`: they take what crosses of one picture at a time."""
        self.form = form
        self.segments = segments
        self.starts = starts
        self.one_by_one = one_by_one

    def __call__(self, tensors: Tensors) -> Tensors:
        """The whole at once."""
        outputs = self.begin([tensors]).advance(lambda _point: False)
        assert outputs is not None
        return outputs

    def begin(self, callers: Sequence[Tensors], *, one_thread: bool = False) -> ChainRun:
        """Get ready to run it on what crosses for the frames of all callers, in order, as values or symbols alike.

        `one_thread`: all runs of it are advanced by the same thread, so that what a pause may cost is saved where nothing runs in it.
        """
        return ChainRun(self, callers, one_thread=one_thread)


class _Latest(threading.local):
    """The run that each thread advanced last: the memory that segments give and take is the thread's, not the run's."""

    run: weakref.ref[ChainRun] | None = None


_latest = _Latest()


class ChainRun:
    """A chain at work on the tensors of B frames. Each call of `advance` may be on another thread, and one at a time."""

    def __init__(self, chain: Chain, callers: Sequence[Tensors], *, one_thread: bool) -> None:
        self._chain = chain
        self._one_thread = one_thread
        self._parts = [callers]
        if chain.one_by_one and chain.segments:
            self._parts = [[row] for each in callers for row in row_by_row(each)]
        self._done: list[Tensors] = []
        self._place = 0
        """The segment that is next for the part that is under way."""
        self._packed: Any = None
        self._is_own = False
        """Whether what is packed is in memory of its own."""

    @property
    def point(self) -> str:
        """Where it has stopped."""
        return self._chain.starts[self._place].name

    @property
    def ahead(self) -> list[str]:
        """Where others may board that have not yet begun: none where pictures are taken one by one."""
        return [] if self._chain.one_by_one else [each.name for each in self._chain.starts[self._place + 1 :]]

    def advance(self, enough: Callable[[str], bool], boarding: Sequence[Tensors] = ()) -> Tensors | None:
        """Run segments until it is done, or `enough(name)` at a split point on the way: then None, and it can be gone on with.

        `boarding`: what crosses for more frames, at the split point where it has stopped. Their rows come behind those of all others.
        """
        self._claim()
        if boarding:
            self._gather(boarding)
        chain = self._chain
        while len(self._done) < len(self._parts):
            if not chain.segments:
                self._done.append(joined(self._parts[0]) if len(self._parts[0]) > 1 else self._parts[0][0])
                break
            if self._packed is None:
                self._gather(self._parts[len(self._done)])
            while self._place < len(chain.segments):
                self._packed, self._is_own = chain.segments[self._place](self._packed), False
                self._place += 1
                if self._place < len(chain.segments) and enough(self.point):
                    if not self._one_thread:
                        self.keep()
                    return None
            self._done.append(chain.form.unpack(self._packed))
            self._place, self._packed = 0, None
            if len(self._done) < len(self._parts) and enough(self.point):
                return None
        return joined(self._done) if len(self._done) > 1 else self._done[0]

    def keep(self) -> None:
        """Copy what it has to memory of its own: what a segment gives is valid until its next run on this thread, which may be another's."""
        if self._packed is not None and not self._is_own:
            self._packed, self._is_own = self._chain.form.copy(self._packed), True

    def _claim(self) -> None:
        """Have the thread's memory for this run; another one that has stopped keeps what is in it."""
        latest = _latest.run() if _latest.run else None
        if latest is not self:
            if latest and latest._one_thread:  # noqa: SLF001 - another run's
                latest.keep()
            _latest.run = weakref.ref(self)

    def _gather(self, callers: Sequence[Tensors]) -> None:
        start = self._chain.starts[self._place]
        if start.is_quantised:
            callers = [start.native(each) for each in callers]
        self._packed, self._is_own = self._chain.form.gather(self._packed, callers), False


class Segmented:
    """Heads and tails at `points`; each segment is compiled once."""

    def __init__(self, engine: Engine, points: Sequence[SplitPoint]) -> None:
        """Compile and check the chain. `points` are in the network's order, `input` first and `output` last.

        Raises EngineError if a segment cannot be compiled or the chain fails its check.
        """
        assert (points[0].name, points[-1].name) == (INPUT, OUTPUT)
        self.points = list(points)
        self._form = engine.form
        self._one_by_one = engine.one_by_one
        self._segments = [engine.segment(start, end) for start, end in itertools.pairwise(points)]
        self._places = {point.name: place for place, point in enumerate(points)}
        engine.check("head", points[-1], self.head(points[-1]))

    def head(self, point: SplitPoint) -> Half:
        """From the pictures, one array (B, C, H, W), to the crossing at `point`."""
        place = self._places[point.name]
        head = self._chain(self._segments[:place], self.points[:place])
        return QuantisedHead(head, point) if point.is_quantised else head

    def tail(self, point: SplitPoint) -> Chain:
        """From the crossing at `point` to the outputs."""
        place = self._places[point.name]
        return self._chain(self._segments[place:], self.points[place:-1])

    def walk(
        self, pictures: Tensors, clock: Callable[[], float] = time.perf_counter
    ) -> Iterator[tuple[SplitPoint, Tensors, float]]:
        """Run the network once on one array (B, C, H, W); yield each point after `input` in order, its crossing, and the time
        in seconds that its head takes. B is 1 for a network that takes one picture at a time.
        """
        start = clock()
        packed = self._form.pack(pictures)
        head_s = clock() - start
        for point, segment in zip(self.points[1:], self._segments, strict=True):
            start = clock()
            packed = segment(packed)
            head_s += clock() - start
            start = clock()
            crossing = point.values(self._form.unpack(packed))
            yield point, crossing, head_s + clock() - start

    def _chain(self, segments: list[Segment], starts: list[SplitPoint]) -> Chain:
        return Chain(self._form, segments, starts, one_by_one=self._one_by_one)


def segmented(engine: Engine, points: Sequence[SplitPoint]) -> Segmented:
    """The network cut at `points`, run by the engine, or by its reference if the chain fails. Raises EngineError."""
    try:
        return Segmented(engine, points)
    except EngineError as error:
        return Segmented(engine.stand_in(error), points)
