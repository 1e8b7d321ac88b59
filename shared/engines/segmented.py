"""A whole network as a chain of segments, for a process that moves the split point while it runs.

Compiled as halves, every split point packs its own copy of the parameters. Cut once at all split points, the network is in
memory once: a head is the first segments and a tail the last. Between segments a tensor stays in the engine's own form.
"""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING

from shared.engines.base import in_rows
from shared.engines.half import QuantisedHead
from shared.errors import EngineError
from shared.network.partition import INPUT, OUTPUT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    from shared.engines.base import Engine
    from shared.engines.half import Half, Segment, Tensors
    from shared.network.partition import SplitPoint


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
        return QuantisedHead(head, point) if any(point.grids) else head

    def tail(self, point: SplitPoint) -> Half:
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

    def _chain(self, segments: list[Segment], start: SplitPoint | None = None) -> Half:
        def run(tensors: Tensors) -> Tensors:
            if not segments:
                return tensors
            packed = self._form.pack(start.native(tensors) if start else tensors)
            for segment in segments:
                packed = segment(packed)
            return self._form.unpack(packed)

        return in_rows(run) if self._one_by_one and segments else run


def segmented(engine: Engine, points: Sequence[SplitPoint]) -> Segmented:
    """The network cut at `points`, run by the engine, or by its reference if the chain fails. Raises EngineError."""
    try:
        return Segmented(engine, points)
    except EngineError as error:
        return Segmented(engine.stand_in(error), points)
