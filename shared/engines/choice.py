"""Chooses the engine that runs the network: the one that was asked for, or the fastest that passes its check.

Candidates are timed in turn, and a less precise one must be clearly faster. What was measured on a busy machine is not kept for
the next start; so that an edge and a cloud that start together do not keep each other busy, one of them measures at a time, and
neither goes on before both have. `Engine.choice` says what happened:

    how           `measured`, `remembered` from an earlier start, `busy` (measured, not kept), or `only one` candidate
    milliseconds  by engine and precision: minimum and median of one run
    margin        the share of the time by which the fastest is faster than the next one; null for one candidate
"""

from __future__ import annotations

import logging
from functools import partial
from typing import TYPE_CHECKING, Any

from shared.engines.choosing.timing import Timer, Times
from shared.engines.workbench import Workbench
from shared.errors import EngineError
from shared.network.partition import INPUT, OUTPUT

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.engines.base import Engine
    from shared.engines.half import Kind
    from shared.network.bundle import Bundle
    from shared.network.partition import SplitPoint

_log = logging.getLogger(__name__)

_BY_PRECISION = ("float32", "float16", "bfloat16", "int8")
"""The most precise first."""


def make_engine(
    bundle: Bundle,
    *,
    name: str = "auto",
    precision: str = "auto",
    device: str = "cpu",
    threads: int = 0,
    streams: int = 1,
    cache_dir: str = "",
    kind: Kind = "head",
    point: SplitPoint | None = None,
    weights: str | None = None,
    hold: Callable[[], object] = lambda: None,
    timer: Timer | None = None,
) -> Engine:
    """The engine of this name and precision; `auto` is the fastest whose results agree with the bundle's probe.

    On CPUs `auto` means OpenVINO. `kind` and `point` name the half to choose by, which is compiled, checked and timed; the
    default is the whole network. `threads` 0 takes as many as there are cores; up to `streams` halves run at once. `cache_dir`
    is the folder that keeps choices, "" keeps none. `weights` stands for those that the bundle's source names, where torch runs it.
    `hold` is called before engines are timed, and returns when that may begin.
    Raises SettingsError for what this machine or this bundle does not have, and EngineError if no engine that fits the request
    passes its check.
    """
    bench = Workbench(bundle, device=device, threads=threads, streams=streams, weights=weights)
    point = point or bundle.partition.point(OUTPUT)
    if (kind, point.name) in (("head", INPUT), ("tail", OUTPUT)):  # computes nothing: time the other half
        kind = "tail" if kind == "head" else "head"
    choice = _Choice(bench, kind, point, cache_dir, hold, timer or Timer())
    engine = choice.make(bench.candidates(name, precision))
    _log.info(
        "engine %s in %s on %s, %d threads; %s",
        engine.name, engine.precision, engine.device, engine.threads, _told(engine.choice),
    )  # fmt: skip
    return engine


class _Choice:
    """One choice, by one half."""

    def __init__(
        self,
        bench: Workbench,
        kind: Kind,
        point: SplitPoint,
        cache_dir: str,
        hold: Callable[[], object],
        timer: Timer,
    ) -> None:
        self._bench = bench
        self._kind = kind
        self._point = point
        self._hold = hold
        self._timer = timer
        self._store = bench.choices(kind, point, cache_dir)

    def make(self, candidates: list[tuple[str, str]]) -> Engine:
        """The chosen engine. Raises EngineError."""
        if len(candidates) == 1:
            return self._ready(candidates[0])
        if engine := self._remembered(candidates):
            return engine
        self._hold()
        with self._store.turn() as waited:
            # Whoever had the turn before may have made the same choice.
            return (waited and self._remembered(candidates)) or self._measured(candidates)

    def _remembered(self, candidates: list[tuple[str, str]]) -> Engine | None:
        """The engine that an earlier start chose, if it still passes its check."""
        remembered = self._store.read(candidates)
        if remembered is None:
            return None
        try:
            engine = self._ready(remembered.candidate)
        except EngineError as error:
            _log.warning("%s; the engine is chosen anew", error)
            return None
        engine.choice = remembered.choice | {"how": "remembered"}
        return engine

    def _ready(self, candidate: tuple[str, str]) -> Engine:
        engine = self._bench.build(*candidate)
        engine.require(self._kind, self._point)
        return engine

    def _measured(self, candidates: list[tuple[str, str]]) -> Engine:
        """The fastest that passes its check. Logs the others' errors."""
        passed, imprecise = self._passing(candidates)
        if len(passed) == 1:
            ((only, engine),) = passed.items()
            self._store.keep(candidates, "/".join(only), engine.choice, imprecise)
            return engine
        given = tuple(each[:1] for each in self._bench.probe.given(self._kind, self._point))
        halves = {"/".join(key): engine.require(self._kind, self._point) for key, engine in passed.items()}
        runs = {name: partial(half, given) for name, half in halves.items()}
        measurement = self._timer.measure(runs, self._bench.threads)
        best = _preferred(measurement.times)
        engine = next(each for key, each in passed.items() if "/".join(key) == best)
        for other in passed.values():
            if other is not engine:
                other.release()  # the reference stays, and would keep the network in memory a second time
        engine.choice = _described(measurement.times, "busy" if measurement.busy else "measured")
        if not measurement.busy:
            self._store.keep(candidates, best, engine.choice, imprecise)
        elif imprecise:
            self._store.keep_imprecise(candidates, imprecise)
        return engine

    def _passing(
        self, candidates: list[tuple[str, str]]
    ) -> tuple[dict[tuple[str, str], Engine], list[tuple[str, str]]]:
        """The engines that pass their check, the most precise first, and the candidates that are not precise enough.

        The latter are not tried again at a later start: a check depends on no load.
        """
        passed: dict[tuple[str, str], Engine] = {}
        problems: list[EngineError] = []
        imprecise = self._store.imprecise(candidates)
        for candidate in sorted(candidates, key=lambda each: _BY_PRECISION.index(each[1])):
            if candidate in imprecise:
                continue
            try:
                passed[candidate] = self._ready(candidate)
            except EngineError as error:
                if candidate == self._bench.reference_candidate:
                    raise  # then nothing here can be trusted
                problems.append(error)
                if error.imprecise:
                    imprecise.append(candidate)
                # That less precision is not always enough is no surprise.
                _log.log(logging.INFO if error.imprecise else logging.WARNING, "%s; not taken", error)
        if not passed:
            raise problems[0]
        return passed, imprecise


def _preferred(times: dict[str, Times]) -> str:
    """The most precise one, unless a less precise one is clearly faster. `times` has the most precise first."""
    best, *rest = times
    for name in rest:
        if times[name].clearly_below(times[best]):
            best = name
    return best


def _described(times: dict[str, Times], how: str) -> dict[str, Any]:
    fastest, second = sorted(each.minimum for each in times.values())[:2]
    return {
        "how": how,
        "milliseconds": {
            name: {"minimum": round(each.minimum, 3), "median": round(each.median, 3)}
            for name, each in times.items()
        },
        "margin": round(1 - fastest / second, 3) if second > 0 else 0.0,
    }


def _told(choice: dict[str, Any]) -> str:
    """The choice as the end of a log line."""
    if not choice["milliseconds"]:
        return "the only one that was asked for or that passed"
    times = ", ".join(
        f"{name} {each['minimum']:.1f} ms (median {each['median']:.1f})"
        for name, each in choice["milliseconds"].items()
    )
    how = {
        "measured": "measured now",
        "remembered": "as measured at an earlier start",
        "busy": "measured now while other processes kept the machine busy, so not kept",
    }[choice["how"]]
    return f"{how}: {times}; the fastest leads by {100 * choice['margin']:.0f} %"
