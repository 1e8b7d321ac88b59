"""A whole network as a chain of segments, for whoever moves the split point while it runs.

Compiled as halves, every split point would pack its own copy of the parameters. Cut once at all of them, the network is
there once, and a head is the first segments, a tail the last. Between two segments the tensor stays as the engine has it.
"""

from __future__ import annotations

import itertools
import time
from typing import TYPE_CHECKING

from shared.errors import EngineError
from shared.network.partition import INPUT, OUTPUT

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from shared.engines.base import Engine, Part, Segment
    from shared.network.partition import SplitPoint


class Segmented:
    """Heads and tails at `points`, each compiled once."""

    def __init__(self, engine: Engine, points: Sequence[SplitPoint]) -> None:
        """`points` in the network's order, `input` first and `output` last. Raises EngineError."""
        assert (points[0].name, points[-1].name) == (INPUT, OUTPUT)
        self.points = list(points)
        form = engine.form
        self._pack, self._unpack = form.pack, form.unpack
        self._segments = [engine.segment(start, end) for start, end in itertools.pairwise(points)]
        self._places = {point.name: place for place, point in enumerate(points)}
        engine.check("head", points[-1], self.head(points[-1]))

    def head(self, point: SplitPoint) -> Part:
        """From the pictures (B, 3, H, W) to the crossing tensors (B, *point.shape)."""
        return self._chain(self._segments[: self._places[point.name]])

    def tail(self, point: SplitPoint) -> Part:
        """From the crossing tensors (B, *point.shape) to the logits (B, K)."""
        return self._chain(self._segments[self._places[point.name] :])

    def walk(
        self, pictures: NDArray[np.float32], clock: Callable[[], float] = time.perf_counter
    ) -> Iterator[tuple[SplitPoint, NDArray[np.float32], float]]:
        """One pass over the network: each point but `input`, in order, what crosses there, and the head's seconds."""
        start = clock()
        tensors = self._pack(pictures)
        inside_s = clock() - start
        for point, segment in zip(self.points[1:], self._segments, strict=True):
            start = clock()
            tensors = segment(tensors)
            inside_s += clock() - start
            start = clock()
            crossing = self._unpack(tensors)
            yield point, crossing, inside_s + clock() - start

    def _chain(self, segments: list[Segment]) -> Part:
        def run(tensors: NDArray[np.float32]) -> NDArray[np.float32]:
            if not segments:
                return tensors
            inside = self._pack(tensors)
            for segment in segments:
                inside = segment(inside)
            return self._unpack(inside)

        return run


def segmented(engine: Engine, points: Sequence[SplitPoint]) -> Segmented:
    """The network cut at `points`, by the engine, or by its reference if it fails its check. Raises EngineError."""
    try:
        return Segmented(engine, points)
    except EngineError as error:
        return Segmented(engine.stand_in(error), points)
