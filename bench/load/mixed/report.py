"""The tables: every mix as a whole, and each of its split points."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from bench.report.report import Table
from bench.report.spread import over_rounds, ratio_of_rounds, several

if TYPE_CHECKING:
    from collections.abc import Callable, Mapping, Sequence

    from bench.load.mixed.options import MixedOptions
    from bench.load.mixed.trial import Trial
    from bench.report.report import Cell
    from bench.report.spread import Spread

Cells = dict[tuple[tuple[str, ...], int, str], list["Trial"]]
"""By mix, number of clients and contender, one for each round."""


def tables(cells: Cells, options: MixedOptions) -> list[Table]:
    """All of them."""
    note = (
        f"Closed loop, client by client in turn at the split points of the mix; medians (min–max over {several(options.rounds, 'round')}) "
        f"of {options.seconds:g} s a load, all clouds in turn in each round; ratios are between loads of one round. Clouds and load generator share this machine's cores."
    )
    whole: list[dict[str, Cell]] = []
    parts: list[dict[str, Cell]] = []
    for mix, clients in dict.fromkeys((mix, clients) for mix, clients, _ in cells):
        trials = {name: cells[mix, clients, name] for *at, name in cells if at == [mix, clients]}
        whole.append({"mix": "+".join(mix), "clients": clients, **_whole(trials)})
        if clients >= len(mix) > 1:
            parts += [
                {"mix": "+".join(mix), "clients": clients, "split point": point, **_part(trials, kind)}
                for kind, point in enumerate(mix)
            ]
    return [
        Table("mixed", "A cloud alone, by what its clients send", note, whole),
        Table("mixed-parts", "The same, by split point", note, parts),
    ]


_WHOLE: dict[str, Callable[[Trial], float]] = {
    "frames/s": lambda each: each.result.throughput_per_s,
    "p50, ms": lambda each: each.result.p50_ms,
    "p99, ms": lambda each: each.result.p99_ms,
    "CPU ms a frame": lambda each: each.cpu_ms,
    "frames a run": lambda each: each.batch,
}
_PART = {"frames/s": "throughput_per_s", "p50, ms": "p50_ms", "p99, ms": "p99_ms"}


def _whole(trials: Mapping[str, Sequence[Trial]]) -> dict[str, Cell]:
    row: dict[str, Cell] = {}
    for what, value in _WHOLE.items():
        row |= _side_by_side(what, trials, value)
    failed = [
        each.result.busy + each.result.late + each.result.refused + each.result.failed
        for side in trials.values()
        for each in side
    ]
    return row | {"not answered": sum(failed)}


def _part(trials: Mapping[str, Sequence[Trial]], kind: int) -> dict[str, Cell]:
    def of(name: str) -> Callable[[Trial], float]:
        return lambda each: each.result.by_kind[kind][name] or 0.0

    row: dict[str, Cell] = {}
    for what, name in _PART.items():
        row |= _side_by_side(what, trials, of(name))
    return row


def _side_by_side(
    what: str, trials: Mapping[str, Sequence[Trial]], value: Callable[[Trial], float]
) -> dict[str, Cell]:
    """A column for each contender, and the ratio of the last one to the first."""
    found = {name: [value(each) for each in side] for name, side in trials.items()}
    row: dict[str, Cell] = {
        what if len(found) == 1 else f"{what}, {name}": over_rounds(each) for name, each in found.items()
    }
    if len(found) > 1:
        base, *_, this = found.values()
        row[f"{what}, ratio"] = _ratio(this, base)
    return row


def _ratio(over: Sequence[float], under: Sequence[float]) -> Spread | None:
    return ratio_of_rounds(over, under) if all(under) and statistics.fmean(over) else None
