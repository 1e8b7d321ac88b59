"""Each engine and precision against torch eager in float32: time, CPU time, and whether it says the same."""

from __future__ import annotations

import statistics
from collections import defaultdict
from typing import TYPE_CHECKING

from bench.harness.options import IMAGES
from bench.harness.worker import Worker
from bench.report.plots import Bars, Figure
from bench.report.progress import Outline, Progress
from bench.report.report import Cell, Findings, Table
from bench.report.spread import Spread, over_frames, ratio_of_rounds, several
from bench.speed.halves import REFERENCE, Halves

if TYPE_CHECKING:
    from collections.abc import Mapping

    from bench.speed.options import SpeedOptions

_CASES = (("whole", 1), ("head", 1), ("tail", 1), ("tail", 8))
"""What is timed of the network, cut at layer3, and how many pictures in one call."""

_Times = dict[str, list[list[tuple[float, float]]]]
"""For each engine and round, (wall ms, CPU ms) of each call."""


def outline(options: SpeedOptions) -> Outline:
    steps = options.rounds * len(_CASES)
    seconds = 15 + steps * options.engine_calls * 0.3 + 0.3 * len(_pictures(options))
    return Outline("engines", 2 + steps, seconds)


def measure(options: SpeedOptions, progress: Progress) -> Findings:
    """All engines in one process, interleaved call by call."""
    times: dict[tuple[str, int], _Times] = {case: defaultdict(list) for case in _CASES}
    progress.step("building every engine")
    with Worker(Halves, options.setup) as worker:
        missing = worker.ask(Halves.build)
        for half, batch in progress.rounds(options.rounds, _CASES, "{}, batch {}"):
            answer = worker.ask(Halves.time, half, batch, options.engine_calls)
            for engine, calls in answer.items():
                times[half, batch][engine].append(calls)
        progress.step("comparing the answers")
        pictures = _pictures(options)
        answers = worker.ask(Halves.agree, pictures) if pictures else {}
    engines = list(times[_CASES[0]])
    note = (
        f"Medians (quartiles) of {options.rounds * options.engine_calls} calls, the engines in turn, call by call, in one "
        f"process; `times faster` is {REFERENCE}'s median by this one's, of each round: median (min–max over "
        f"{several(options.rounds, 'round')}). Cut at layer3. CPU is that of all threads."
    )
    if missing:
        note += " Not available: " + "; ".join(f"{engine} ({why})" for engine, why in missing.items()) + "."
    rows = [_row(engine, case, times[case]) for case in _CASES for engine in engines]
    tables = [Table("engines", "Engines", note, rows)]
    if answers:
        tables.append(_agreement(answers, len(pictures)))
    return Findings("each of those below", tables, [_figure(engines, times)])


def _pictures(options: SpeedOptions) -> list[str]:
    """So many photographs, evenly from all; none where there is no such folder."""
    paths = sorted(IMAGES.glob("*.jpg"))
    step = max(1, len(paths) // options.pictures)
    return [str(path) for path in paths[::step][: options.pictures]]


def _row(engine: str, case: tuple[str, int], times: _Times) -> dict[str, Cell]:
    half, batch = case
    medians = {
        name: [statistics.median(wall for wall, _ in calls) for calls in times[name]]
        for name in (REFERENCE, engine)
    }
    return {
        "part": half,
        "batch": batch,
        "engine": engine,
        "ms/call": _over_calls(times[engine], 0),
        "times faster": ratio_of_rounds(medians[REFERENCE], medians[engine]),
        "CPU ms/call": _over_calls(times[engine], 1),
    }


def _over_calls(rounds: list[list[tuple[float, float]]], which: int) -> Spread:
    return over_frames([call[which] for calls in rounds for call in calls])


def _agreement(answers: Mapping[str, list[tuple[bool, float]]], pictures: int) -> Table:
    rows: list[dict[str, Cell]] = [
        {
            "engine": engine,
            "same top-1": f"{sum(same for same, _ in found)} of {pictures}",
            "relative difference of the logits": over_frames([distance for _, distance in found]),
            "largest": round(max(distance for _, distance in found), 4),
        }
        for engine, found in answers.items()
    ]
    note = (
        f"The whole network on {pictures} photographs against {REFERENCE}: the same top class, and the length of the "
        "logits' difference by the length of the logits, median (quartiles over the photographs)."
    )
    return Table("engines_agreement", "Whether the engines agree", note, rows)


def _figure(engines: list[str], times: Mapping[tuple[str, int], _Times]) -> Figure:
    labels = [f"{half}, batch {batch}" for half, batch in _CASES]
    panels = [
        Bars(
            unit,
            labels,
            {name: [_over_calls(times[case][name], which) for case in _CASES] for name in engines},
        )
        for which, unit in enumerate(("ms per call", "CPU ms per call"))
    ]
    return Figure("engines", "Engines: time and CPU time of one call, cut at layer3", panels)
