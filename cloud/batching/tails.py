"""The tail behind every split point, sharing one set of parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

from shared.engines.segmented import segmented

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from shared.engines import Engine
    from shared.engines.half import Half
    from shared.network.partition import Partition, SplitPoint


class Tails:
    """Runs whatever split point a frame names: an edge may move its own between two frames."""

    def __init__(self, partition: Partition, engine: Engine) -> None:
        self._partition = partition
        self._engine = engine
        self._ready: dict[str, Half] = {}

    def make_ready(self, ends: Sequence[SplitPoint]) -> None:
        """Compile the tails at `ends` and at `input` as one chain, which takes one network's memory for all of them.

        No frame then waits for a compilation when an edge moves its split point. Raises EngineError.
        """
        if not self._ready:
            start, end = self._partition.ends
            chain = segmented(self._engine, [start, *ends, end])
            self._ready = {point.name: chain.tail(point) for point in chain.points[:-1]}

    def run(self, split_point: str, callers: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Logits (n, K) of the tensors (n_i, *shape) of several callers, n in all, that crossed at `split_point`, which
        must exist. The tail is compiled on first use.
        """
        point = self._partition.point(split_point)
        tail = self._engine.at_hand("tail", point) or self._ready.get(split_point) or self._engine.tail(point)
        # The one copy that a batch costs, and a caller alone does not: a tail takes its tensors in one piece.
        return tail(callers[0] if len(callers) == 1 else np.concatenate(callers))
