"""The tables of two checkouts side by side: what each round gave, and which way a ratio goes."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from bench.report.spread import over_rounds, ratio_of_rounds
from bench.speed.steps import REST

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.report.report import Cell
    from bench.speed.steps import Costs, Sample
    from bench.speed.window import Window

    Runs = dict[tuple[str, str], list[Window[Sample]]]
    """By split point and contender, `this` or `against`, one for each round."""

_SIDES = ("edge", "cloud")
_ALONE = "engine alone"


def rows(runs: Runs, alone: Sequence[tuple[float, float]]) -> list[dict[str, Cell]]:
    """Both checkouts at each split point, and the engine alone: (frames/s, CPU ms a frame) of each round."""
    rates = [rate for rate, _ in alone]
    found: list[dict[str, Cell]] = [
        {
            "split point": _ALONE,
            "frames/s": over_rounds(rates),
            "CPU ms/frame": over_rounds([cpu for _, cpu in alone]),
        }
    ]
    for point in dict.fromkeys(point for point, _ in runs):
        this, base = runs[point, "this"], runs[point, "against"]
        ours, theirs = [[each.frames_per_s for each in side] for side in (this, base)]
        our_cpu, their_cpu = [[sum(_cpu_ms(each).values()) for each in side] for side in (this, base)]
        found.append(
            {
                "split point": point,
                "frames/s": over_rounds(ours),
                "against": over_rounds(theirs),
                "times faster": ratio_of_rounds(ours, theirs),
                f"of the {_ALONE}": ratio_of_rounds(ours, rates),
                "CPU ms/frame": over_rounds(our_cpu),
                "CPU, against": over_rounds(their_cpu),
                "CPU ratio": ratio_of_rounds(our_cpu, their_cpu),
                "bytes/frame": round(
                    statistics.mean(record["payload_bytes"] for each in this for record in each.records)
                ),
            }
        )
    return found


def step_rows(this: Costs, base: Costs) -> list[dict[str, Cell]]:
    """Each step of either checkout, what no step holds, the whole process, and the overhead of both."""
    found: list[dict[str, Cell]] = []

    def add(side: str, step: str, ours: Sequence[float], theirs: Sequence[float]) -> None:
        both = ours and theirs and all(theirs)
        found.append(
            {
                "side": side,
                "step": step,
                "CPU ms/frame": over_rounds(ours) if ours else None,
                "against": over_rounds(theirs) if theirs else None,
                "ratio": ratio_of_rounds(ours, theirs) if both else None,
            }
        )

    for side in _SIDES:
        for step in dict.fromkeys(step for where, step in [*this.cpu, *base.cpu] if where == side):
            ours, theirs = (each.cpu.get((side, step), []) for each in (this, base))
            if any(ours) or any(theirs):  # a step that ran
                add(side, step, ours, theirs)
        add(side, REST, this.rest(side), base.rest(side))
        add(side, "whole process", this.total[side], base.total[side])
    add("both", "overhead: all but head and tail", this.overhead(), base.overhead())
    return found


def _cpu_ms(window: Window[Sample]) -> dict[str, float]:
    before, after = window.before.cpu_s, window.after.cpu_s
    return {side: 1e3 * (after[side] - before[side]) / len(window.records) for side in _SIDES}
