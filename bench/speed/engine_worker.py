"""The engines in one process, called in turn, so that whatever the machine does meanwhile happens to all of them."""

from __future__ import annotations

import sys
import time
from itertools import islice
from pathlib import Path
from typing import TYPE_CHECKING, Any

from bench.harness.system import read_setup
from bench.harness.worker import serve
from shared.process.threads import limit_threads

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np
    from numpy.typing import NDArray

    from bench.harness.network import Network
    from shared.engines import Engine
    from shared.engines.half import Half

REFERENCE = "torch float32"
PARTS = {"whole": "output", "head": "layer3", "tail": "layer3"}
"""What is timed, and where the network is cut for it."""
_CANDIDATES = (
    ("torch", "float32"),
    ("torch", "bfloat16"),
    ("openvino", "float32"),
    ("openvino", "bfloat16"),
    ("openvino", "float16"),
)
_WARM_CALLS = 2


class _Engines:
    """What the worker answers."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._engines: dict[str, Engine] = {}
        self._tensors: NDArray[np.float32] | None = None

    def answer(self, do: str, **arguments: Any) -> Any:
        """`do` is build, time or agree."""
        work: dict[str, Callable[..., Any]] = {"build": self._build, "time": self._time, "agree": self._agree}
        return work[do](**arguments)

    def _build(self) -> dict[str, str]:
        """Every engine that can run here; for the others, why not."""
        from shared.errors import SplitDNNError

        setup = self._network.setup
        missing = {}
        for name, precision in _CANDIDATES:
            label = f"{name} {precision}"
            wanted = setup.engine in (None, "auto", name) and setup.precision in (None, "auto", precision)
            if label != REFERENCE and not wanted:
                continue
            try:
                engine = self._network.engine(name, precision)
                for part in PARTS:
                    self._part(engine, part)
            except SplitDNNError as error:
                missing[label] = str(error).splitlines()[0]
                continue
            if engine.failed_checks:
                missing[label] = "a half of the network failed its check against torch"
                continue
            self._engines[label] = engine
        return missing

    def _time(self, part: str, batch: int, calls: int) -> dict[str, list[tuple[float, float]]]:
        """For each engine (wall ms, CPU ms) of `calls` calls, in turn."""
        parts = {label: self._part(engine, part) for label, engine in self._engines.items()}
        given = self._input(part, batch)
        times: dict[str, list[tuple[float, float]]] = {label: [] for label in parts}
        for number in range(-_WARM_CALLS, calls):
            for label, run in parts.items():
                cpu, wall = time.process_time(), time.perf_counter()
                run(given)
                wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
                if number >= 0:
                    times[label].append((1e3 * wall, 1e3 * cpu))
        return times

    def _agree(self, pictures: list[str]) -> dict[str, list[tuple[bool, float]]]:
        """For each engine and picture: the reference's top class or another, and how far the logits are from its.

        The distance is the length of the difference by the length of the reference's logits.
        """
        import numpy as np

        runs = {label: self._part(engine, "whole") for label, engine in self._engines.items()}
        found: dict[str, list[tuple[bool, float]]] = {label: [] for label in runs}
        for path in pictures:
            picture = self._network.photograph(Path(path))
            right = runs[REFERENCE](picture)[0]
            for label, run in runs.items():
                logits = run(picture)[0]
                distance = np.linalg.norm(logits - right) / np.linalg.norm(right)
                found[label].append((bool(logits.argmax() == right.argmax()), float(distance)))
        return found

    def _part(self, engine: Engine, part: str) -> Half:
        point = self._network.partition.point(PARTS[part])
        return engine.tail(point) if part == "tail" else engine.head(point)

    def _input(self, part: str, batch: int) -> NDArray[np.float32]:
        """Real tensors: zeros would be faster on some processors."""
        import numpy as np

        if self._tensors is None or len(self._tensors) < batch:
            self._tensors = np.concatenate(list(islice(self._network.tensors(), batch)))
        tensors = self._tensors[:batch]
        return self._part(self._engines[REFERENCE], "head")(tensors) if part == "tail" else tensors


if __name__ == "__main__":
    _setup = read_setup(sys.argv[1])
    limit_threads(_setup.threads or 0)
    # Only now: torch reads the thread settings when it is imported.
    from bench.harness.network import load_network

    serve(_Engines(load_network(_setup)).answer)
