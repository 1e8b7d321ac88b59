"""The tail behind every split point, sharing one set of parameters."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from shared.engines import Engine
    from shared.partition import Partition


class Tails:
    """Runs whatever split point a frame names: an edge may move its own between two frames."""

    def __init__(self, partition: Partition, engine: Engine) -> None:
        self._partition = partition
        self._engine = engine

    def run(self, split_point: str, callers: Sequence[NDArray[np.float32]]) -> NDArray[np.float32]:
        """Logits (n, K) of the tensors (n_i, *shape) of several callers, n in all, that crossed at `split_point`, which
        must exist. The tail is compiled on first use.
        """
        tail = self._engine.tail(self._partition.point(split_point))
        # The one copy that a batch costs, and a caller alone does not: a tail takes its tensors in one piece.
        return tail(callers[0] if len(callers) == 1 else np.concatenate(callers))
