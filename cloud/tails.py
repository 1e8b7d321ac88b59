"""The tail behind every split point, sharing one set of parameters."""

from __future__ import annotations

import logging
import threading
import time
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from shared.engines import Engine
    from shared.engines.base import Part
    from shared.partition import Partition

_log = logging.getLogger(__name__)


class Tails:
    """Compiles a tail on first use and keeps it: an edge may move its split point between two frames."""

    def __init__(self, partition: Partition, engine: Engine) -> None:
        self._partition = partition
        self._engine = engine
        self._compiled: dict[str, Part] = {}
        self._lock = threading.Lock()

    def run(self, split_point: str, tensors: NDArray[np.float32]) -> NDArray[np.float32]:
        """Logits (n, K) of tensors (n, *shape) that crossed at `split_point`, which must exist."""
        return self.prepare(split_point)(tensors)

    def prepare(self, split_point: str) -> Part:
        """The compiled tail of this split point."""
        with self._lock:
            if split_point not in self._compiled:
                start = time.perf_counter()
                point = self._partition.point(split_point)
                self._compiled[split_point] = self._engine.compile(self._partition.tail(point), point.shape)
                _log.info("tail after %s ready in %.2f s", split_point, time.perf_counter() - start)
            return self._compiled[split_point]
