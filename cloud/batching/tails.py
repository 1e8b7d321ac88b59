"""The tails of one network behind every split point, sharing one set of parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

from cloud.batching.crossing import join
from shared.engines.segmented import segmented

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cloud.batching.crossing import Crossing
    from shared.engines import Engine
    from shared.engines.half import Half, Tensors
    from shared.network.partition import Partition, SplitPoint


class Tails:
    """Runs the tail of any split point that a frame names: an edge may change its own between two frames."""

    def __init__(self, partition: Partition, engine: Engine) -> None:
        self._partition = partition
        self._engine = engine
        self._ready: dict[str, Half] = {}

    @property
    def chained(self) -> bool:
        """Whether a planner has asked for this cloud's times, so that `make_ready` has been called."""
        return bool(self._ready)

    def is_ready(self, split_point: str) -> bool:
        """Whether the chain has this tail."""
        return split_point in self._ready

    def make_ready(self, ends: Sequence[SplitPoint]) -> None:
        """Compile the tails at `ends` and at `input` as one chain, which takes the memory of one network for all of them.

        After that no frame waits for a compilation when an edge changes to one of these split points. Raises EngineError.
        """
        if not self._ready:
            start, end = self._partition.ends
            chain = segmented(self._engine, [start, *ends, end])
            self._ready = {point.name: chain.tail(point) for point in chain.points[:-1]}

    def run(self, split_point: str, callers: Sequence[Crossing]) -> Tensors:
        """The outputs, each (n, …) for the n frames of all callers, in order. Compiles the tail on first use.

        `split_point` must exist, and each crossing must be one of its own.
        """
        point = self._partition.point(split_point)
        tail = self._engine.at_hand("tail", point) or self._ready.get(split_point) or self._engine.tail(point)
        return tail(join(callers))
