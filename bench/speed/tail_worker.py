"""Full batches through a tail, back to back: what the engine gives when nothing stands around it."""

from __future__ import annotations

import sys
import time
from itertools import islice
from typing import TYPE_CHECKING

import numpy as np

from bench.harness.system import read_setup
from bench.harness.worker import serve
from shared.process.threads import limit_threads

if TYPE_CHECKING:
    from bench.harness.network import Network


class _Tails:
    """What the worker answers."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._engine = network.engine()

    def answer(self, split_point: str, batch: int, seconds: float) -> float:
        """Tensors/s over so many seconds, after one batch that does not count."""
        point = self._network.partition.point(split_point)
        pictures = np.concatenate(list(islice(self._network.tensors(), batch)))
        tensors, tail = self._engine.head(point)(pictures), self._engine.tail(point)
        tail(tensors)
        start = time.perf_counter()
        count = 0
        while time.perf_counter() - start < seconds:
            tail(tensors)
            count += batch
        return count / (time.perf_counter() - start)


if __name__ == "__main__":
    _setup = read_setup(sys.argv[1])
    limit_threads(_setup.threads or 0)
    # Only now: torch reads the thread settings when it is imported.
    from bench.harness.network import load_network

    serve(_Tails(load_network(_setup)).answer)
