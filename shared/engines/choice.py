"""Chooses the engine that runs the network: the one that was asked for, or the fastest that passes its check."""

from __future__ import annotations

import logging
import time
from typing import TYPE_CHECKING

from shared.engines.workbench import Workbench
from shared.errors import EngineError
from shared.network.partition import INPUT, OUTPUT

if TYPE_CHECKING:
    from shared.engines.base import Engine
    from shared.engines.half import Kind
    from shared.engines.probe import Probe
    from shared.network.model import Model
    from shared.network.partition import Partition, SplitPoint

_log = logging.getLogger(__name__)

_TIMED_RUNS = 3


def make_engine(
    partition: Partition,
    model: Model,
    *,
    name: str = "auto",
    precision: str = "auto",
    device: str = "cpu",
    threads: int = 0,
    streams: int = 1,
    cache_dir: str = "",
    kind: Kind = "head",
    point: SplitPoint | None = None,
) -> Engine:
    """The engine of this name and precision; `auto` is the fastest whose results agree with torch's.

    `kind` and `point` name the half to choose by, which is compiled, checked and timed; the default is the whole network.
    `threads` 0 keeps torch's number; up to `streams` halves run at once. `cache_dir` is the folder that keeps converted
    networks and choices, "" keeps none. Raises SettingsError for what this machine does not have, and EngineError if no
    engine that fits the request passes its check.
    """
    bench = Workbench(partition, model, device, threads, streams, cache_dir)
    point = point or partition.point(OUTPUT)
    if (kind, point.name) in (("head", INPUT), ("tail", OUTPUT)):  # computes nothing: time the other half
        kind = "tail" if kind == "head" else "head"
    candidates = bench.candidates(name, precision)
    engine = None
    if len(candidates) > 1:
        key = bench.choice_key(kind, point, candidates)
        chosen = bench.cache.load_json(key)
        engine = _fastest(bench, [each for each in candidates if "/".join(each) == chosen], kind, point)
    if engine is None:
        problems: list[EngineError] = []
        engine = _fastest(bench, candidates, kind, point, problems)
        if engine is None:
            raise problems[0]
        if len(candidates) > 1 and not problems:
            bench.cache.store_json(key, f"{engine.name}/{engine.precision}")
    _log.info(
        "engine %s in %s on %s, %d threads", engine.name, engine.precision, engine.device, engine.threads
    )
    return engine


def _fastest(
    bench: Workbench,
    candidates: list[tuple[str, str]],
    kind: Kind,
    point: SplitPoint,
    problems: list[EngineError] | None = None,
) -> Engine | None:
    """The fastest candidate that passes its check. The others' errors are logged and appended to `problems`."""
    best: tuple[float, Engine] | None = None
    for candidate in candidates:
        try:
            engine = bench.build(*candidate)
            engine.require(kind, point)
            # A single candidate, asked for or chosen before, is not timed.
            seconds = _seconds(engine, kind, point, bench.probe) if len(candidates) > 1 else 0.0
        except EngineError as error:
            if problems is None or str(error) not in map(str, problems):
                _log.warning("%s", error)
            if problems is not None:
                problems.append(error)
        else:
            _log.debug("%s in %s: %.1f ms", engine.name, engine.precision, 1e3 * seconds)
            if best is None or seconds < best[0]:
                best = seconds, engine
    return best and best[1]


def _seconds(engine: Engine, kind: Kind, point: SplitPoint, probe: Probe) -> float:
    """Time of one run on one picture: the minimum of a few, as other load only adds. Raises EngineError."""
    half = engine.require(kind, point)
    given = probe.given(kind, point)[:1]
    fastest = float("inf")
    for _ in range(_TIMED_RUNS):
        start = time.perf_counter()
        half(given)
        fastest = min(fastest, time.perf_counter() - start)
    return fastest
