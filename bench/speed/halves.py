"""The process in which the sections run halves of the network themselves, instead of through an edge or a cloud."""

from __future__ import annotations

import itertools
import time
from functools import cached_property
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np

from shared.errors import SplitDNNError

if TYPE_CHECKING:
    from bench.harness.network import Network
    from shared.engines import Engine
    from shared.engines.half import Half, Tensors

REFERENCE = "torch float32"
HALVES = {"whole": "output", "head": "layer3", "tail": "layer3"}
"""What is timed, and where the network is cut for it."""
_CANDIDATES = (
    *itertools.product(["torch"], ["float32", "bfloat16"]),
    *itertools.product(["openvino"], ["float32", "bfloat16", "float16"]),
)
_WARM_CALLS = 2


class Halves:
    """What the sections do with the network in a `Worker`."""

    def __init__(self, network: Network) -> None:
        self._network = network
        self._engines: dict[str, Engine] = {}

    def build(self) -> dict[str, str]:
        """Make every engine that can run here; for the others, the reasons why not.

        Raises RuntimeError where torch, with which they are compared, cannot run this network.
        """
        setup = self._network.setup
        missing = {}
        for name, precision in _CANDIDATES:
            label = f"{name} {precision}"
            wanted = setup.engine in (None, "auto", name) and setup.precision in (None, "auto", precision)
            if label != REFERENCE and not wanted:
                continue
            try:
                engine = self._network.engine(name, precision)
                for half in HALVES:
                    self._half(engine, half)
            except SplitDNNError as error:
                missing[label] = str(error).splitlines()[0]
                continue
            if engine.failed_checks:
                missing[label] = "a half of the network failed its check on the bundle's probe"
                continue
            self._engines[label] = engine
        if REFERENCE in missing:
            raise RuntimeError(f"engines are compared with {REFERENCE}: {missing[REFERENCE]}")
        return missing

    def time(self, half: str, batch: int, calls: int) -> dict[str, list[tuple[float, float]]]:
        """For each engine (wall ms, CPU ms) of `calls` calls, in turn, so that changes in the machine's load affect all of them alike."""
        halves = {label: self._half(engine, half) for label, engine in self._engines.items()}
        given = self._pictures(batch)
        if half == "tail":
            given = self._half(self._engines[REFERENCE], "head")(given)
        times: dict[str, list[tuple[float, float]]] = {label: [] for label in halves}
        for number in range(-_WARM_CALLS, calls):
            for label, run in halves.items():
                cpu, wall = time.process_time(), time.perf_counter()
                run(given)
                wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
                if number >= 0:
                    times[label].append((1e3 * wall, 1e3 * cpu))
        return times

    def agree(self, pictures: list[str]) -> dict[str, list[tuple[bool, float]]]:
        """For each engine and picture: whether its top class is the reference's, and how far its logits are from those.

        The distance is the length of the difference by the length of the reference's logits.
        """
        runs = {label: self._half(engine, "whole") for label, engine in self._engines.items()}
        found: dict[str, list[tuple[bool, float]]] = {label: [] for label in runs}
        for path in pictures:
            picture = self._network.model.recipe.normalise(self._network.picture(Path(path)))[None]
            right = runs[REFERENCE]((picture,))[0][0]
            for label, run in runs.items():
                logits = run((picture,))[0][0]
                distance = np.linalg.norm(logits - right) / np.linalg.norm(right)
                found[label].append((bool(logits.argmax() == right.argmax()), float(distance)))
        return found

    def tails(self, split_point: str, batch: int, seconds: float) -> float:
        """Tensors/s of full batches through a tail, back to back over so many seconds, after one that does not count."""
        engine, point = self._own_engine, self._network.partition.point(split_point)
        tensors, tail = engine.head(point)(self._pictures(batch)), engine.tail(point)
        tail(tensors)
        start = time.perf_counter()
        count = 0
        while time.perf_counter() - start < seconds:
            tail(tensors)
            count += batch
        return count / (time.perf_counter() - start)

    def whole(self, seconds: float) -> tuple[float, float]:
        """(frames/s, CPU ms a frame) of the whole network, one picture after another over so many seconds, after one that does not count."""
        pictures, run = self._pictures(1), self._own_engine.head(self._network.partition.ends[1])
        run(pictures)
        start, cpu, count = time.perf_counter(), time.process_time(), 0
        while time.perf_counter() - start < seconds:
            run(pictures)
            count += 1
        return count / (time.perf_counter() - start), 1e3 * (time.process_time() - cpu) / count

    def _half(self, engine: Engine, half: str) -> Half:
        point = self._network.partition.point(HALVES[half])
        return engine.tail(point) if half == "tail" else engine.head(point)

    @cached_property
    def _own_engine(self) -> Engine:
        """The engine that the setup names, made as edge and cloud make it."""
        return self._network.engine()

    def _pictures(self, count: int) -> Tensors:
        """One array (count, C, h, w). Real ones: zeros would be faster on some processors."""
        return (np.concatenate(list(itertools.islice(self._network.tensors(), count))),)
