"""The grid as tables and a heat map, the losing cells included."""

from __future__ import annotations

import math
import statistics
from typing import TYPE_CHECKING

from bench.link.cell import Cell, Outcome
from bench.report.plots import Figure, Heat
from bench.report.report import Cell as TableCell
from bench.report.report import Findings, Table
from shared.network.partition import OUTPUT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.link.options import LinkOptions
    from edge.planning.planner import Option

_BAD = 1.05
_LOSING = "Cells whose choice is more than 1.05 times as slow as the best of all plans, or as the better one of edge only and cloud only."


def findings(
    outcomes: Sequence[Outcome], options: LinkOptions, choices: Sequence[Option], engine: str
) -> Findings:
    """One row per cell, their summary, and the options that there were."""
    unit = "ms a frame" if options.objective == "latency" else "ms between frames"
    note = (
        f"Objective {options.objective}, agreement at least {options.min_agreement:g}; all values in {unit}. Edge and cloud are "
        f"processes with a core each where there are two. `best` is the best of all plans as measured, `gain` how many times "
        f"better the choice is than the better one of edge only and cloud only (the smallest pictures of equal agreement); "
        f"`predicted` and `seen` are the planner's own numbers, medians over the second half of the frames of its last plan; `not measured` are plans for which the cell's {options.cell_s:g} s "
        f"did not suffice, the slowest by prediction."
    )
    surveyed = (
        "As surveyed on this edge, not slowed, when nothing else ran; ms of one core and bytes with headers."
    )
    name = f"link-{options.objective}"
    losing = [_row(outcome) for outcome in outcomes if outcome.ratio > _BAD or outcome.gain < 1 / _BAD]
    tables = [
        Table(f"{name}-summary", "The planner over all cells", note, [_summary(outcomes)]),
        Table(name, "Each cell", note, [_row(outcome) for outcome in outcomes]),
        *([Table(f"{name}-losing", "Where the planner loses", _LOSING, losing)] if losing else []),
        Table(
            f"{name}-options", "What there was to choose from", surveyed, [_option(each) for each in choices]
        ),
    ]
    return Findings(engine, tables, [_heat(outcomes, options, load) for load in options.loads])


def _summary(outcomes: Sequence[Outcome]) -> dict[str, TableCell]:
    ratios = [outcome.ratio for outcome in outcomes]
    errors = [
        abs(outcome.predicted_ms / outcome.measured_ms - 1) for outcome in outcomes if outcome.measured_ms
    ]
    gains = [outcome.gain for outcome in outcomes]
    return {
        "cells": len(outcomes),
        "within 5 % of the best": f"{100 * sum(ratio <= _BAD for ratio in ratios) / len(ratios):.0f} %",
        "median ratio": statistics.median(ratios),
        "worst ratio": max(ratios),
        "worst against edge only and cloud only": 1 / min(gains),
        "cells above 1.05 x of that": sum(gain < 1 / _BAD for gain in gains),
        "cells with gain of 1.3 or more": sum(gain >= 1.3 for gain in gains),
        "largest gain": max(gains),
        "median error of the prediction": f"{100 * statistics.median(errors):.1f} %" if errors else "",
    }


def _row(outcome: Outcome) -> dict[str, TableCell]:
    cell = outcome.cell
    return {
        "Mbit/s": cell.mbit_per_s,
        "round trip ms": cell.round_trip_ms,
        "edge slowed": cell.slowdown,
        "cloud load": cell.load,
        "chosen": outcome.chosen,
        "chosen ms": outcome.value_ms(outcome.chosen),
        "best": outcome.best,
        "best ms": outcome.value_ms(outcome.best),
        "ratio": outcome.ratio,
        "edge only ms": outcome.value_ms(OUTPUT),
        "cloud only": outcome.cloud_only,
        "cloud only ms": "hopeless"
        if math.isinf(cloud_only := outcome.value_ms(outcome.cloud_only))
        else cloud_only,
        "gain": outcome.gain,
        "predicted ms": outcome.predicted_ms,
        "seen ms": outcome.measured_ms,
        "switches": outcome.switches,
        "not measured": outcome.unmeasured,
    }


def _option(option: Option) -> dict[str, TableCell]:
    return {
        "split point": option.split_point,
        "codec": option.codec or "nothing travels",
        "head": 1e3 * option.head_s,
        "encode": 1e3 * option.encode_s,
        "decode": 1e3 * option.decode_s,
        "tail": 1e3 * option.tail_s,
        "bytes": option.frame_bytes,
        "agreement": option.agreement,
        "frames": option.frames,
    }


def _heat(outcomes: Sequence[Outcome], options: LinkOptions, load: float) -> Figure:
    """A panel for each slowdown: bandwidth across, round trips down, the gain as colour and the choice as text."""
    panels = []
    by_cell = {outcome.cell: outcome for outcome in outcomes}
    x_labels, y_labels = ([f"{each:g}" for each in axis] for axis in (options.mbit, options.round_trips))
    for slowdown in options.slowdowns:
        grid = [
            [by_cell[Cell(mbit, trip, slowdown, load)] for mbit in options.mbit]
            for trip in options.round_trips
        ]
        gains = [[outcome.gain for outcome in row] for row in grid]
        texts = [[_short(outcome) for outcome in row] for row in grid]
        title = f"edge slowed {slowdown:g} times"
        panels.append(Heat(title, "Mbit/s", "round trip ms", x_labels, y_labels, gains, texts))
    busy = f"cloud busy {100 * load:.0f} %" if load else "cloud idle"
    title = f"Gain over edge only and cloud only, {options.objective}, {busy}"
    return Figure(f"link-{options.objective}-load-{load:g}", title, panels)


def _short(outcome: Outcome) -> str:
    option = outcome.chosen.partition(":")[0].replace(" ", "\n")
    return f"{option}\n{outcome.gain:.2f} ({outcome.ratio:.2f})"
