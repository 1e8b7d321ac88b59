"""A whole network as a chain of segments, for a process that moves the split point while it runs.

Compiled as halves, every split point packs its own copy of the parameters. Cut once at all split points, the network is in
memory once: a head is the first segments and a tail the last. Between segments a tensor stays in the engine's own form.
"""

from __future__ import annotations

import itertools
import time
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
        *,
        one_by_one: bool,
        native: Callable[[Tensors], Tensors] | None = None,
    ) -> None:
        """`one_by_one`: the segments take what crosses of one picture at a time. `native`: the split point's, if symbols cross there."""
        self.form = form
        self.segments = segments
        self.one_by_one = one_by_one
        self.native = native

    def __call__(self, tensors: Tensors) -> Tensors:
        """The whole at once."""
        outputs = self.begin(tensors).advance(lambda: False)
        assert outputs is not None
        return outputs

    def begin(self, tensors: Tensors) -> ChainRun:
        """Get ready to run it on what crosses for B frames."""
        return ChainRun(self, tensors)


class ChainRun:
    """A chain at work on the tensors of B frames. Each call of `advance` may be on another thread, and one at a time."""

    def __init__(self, chain: Chain, tensors: Tensors) -> None:
        self._chain = chain
        if chain.native and chain.segments:
            tensors = chain.native(tensors)
        several = chain.one_by_one and chain.segments and len(tensors[0]) > 1
        self._rows = row_by_row(tensors) if several else [tensors]
        self._done: list[Tensors] = []
        self._place = 0
        """The segment that is next for the row that is under way."""
        self._packed: Any = None

    def advance(self, enough: Callable[[], bool]) -> Tensors | None:
        """Run segments until it is done, or `enough()` after one of them: then None, and it can be gone on with."""
        chain = self._chain
        while len(self._done) < len(self._rows):
            if not self._place:
                self._packed = self._rows[len(self._done)]
                if chain.segments:
                    self._packed = chain.form.pack(self._packed)
            while self._place < len(chain.segments):
                self._packed = chain.segments[self._place](self._packed)
                self._place += 1
                if self._place < len(chain.segments) and enough():
                    # What a segment gives is valid until its next run on this thread, which may be another frame's.
                    self._packed = chain.form.copy(self._packed)
                    return None
            self._done.append(chain.form.unpack(self._packed) if chain.segments else self._packed)
            self._place, self._packed = 0, None
            if len(self._done) < len(self._rows) and enough():
                return None
        return joined(self._done) if len(self._done) > 1 else self._done[0]


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
        head = self._chain(self._segments[: self._places[point.name]])
        return QuantisedHead(head, point) if point.is_quantised else head

    def tail(self, point: SplitPoint) -> Chain:
        """From the crossing at `point` to the outputs."""
        return self._chain(self._segments[self._places[point.name] :], point)

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

    def _chain(self, segments: list[Segment], start: SplitPoint | None = None) -> Chain:
        native = start.native if start and start.is_quantised else None
        return Chain(self._form, segments, one_by_one=self._one_by_one, native=native)


def segmented(engine: Engine, points: Sequence[SplitPoint]) -> Segmented:
    """The network cut at `points`, run by the engine, or by its reference if the chain fails. Raises EngineError."""
    try:
        return Segmented(engine, points)
    except EngineError as error:
        return Segmented(engine.stand_in(error), points)
