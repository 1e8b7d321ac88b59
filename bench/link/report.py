"""The grid as tables and a heat map, the losing cells included."""

from __future__ import annotations

import statistics
from typing import TYPE_CHECKING

from bench.report.plots import Figure, Heat
from bench.report.report import Findings, Table
from shared.network.partition import OUTPUT

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.link.cell import Outcome
    from bench.link.options import LinkOptions
    from bench.report.report import Cell
    from edge.planning.planner import Option


def findings(
    outcomes: Sequence[Outcome], options: LinkOptions, choices: Sequence[Option], engine: str
) -> Findings:
    """One row a cell, what the cells come to, what there was to choose from."""
    unit = "ms a frame" if options.objective == "latency" else "ms between frames"
    note = (
        f"Objective {options.objective}, agreement at least {options.min_agreement:g}; all values in {unit}. Edge and cloud are "
        f"processes with a core each where there are two. `best` is the best of all plans as measured, `gain` how many times "
        f"better the choice is than the better one of edge only and cloud only (the smallest pictures of equal agreement); "
        f"`predicted` and `seen` are the planner's own numbers at the end of its flight."
    )
    tables = [
        Table(f"link-{options.objective}-summary", "The planner over all cells", note, [_summary(outcomes)]),
        Table(f"link-{options.objective}", "Each cell", note, [_row(outcome) for outcome in outcomes]),
        Table(
            f"link-{options.objective}-options",
            "What there was to choose from",
            _OPTIONS,
            [_option(each) for each in choices],
        ),
    ]
    figures = [_heat(outcomes, options, load) for load in options.loads]
    return Findings(engine, tables, figures)


_OPTIONS = (
    "As surveyed on this edge, not slowed, when nothing else ran; ms of one core and bytes with headers."
)


def _summary(outcomes: Sequence[Outcome]) -> dict[str, Cell]:
    ratios = [outcome.ratio for outcome in outcomes]
    errors = [
        abs(outcome.predicted_ms / outcome.measured_ms - 1) for outcome in outcomes if outcome.measured_ms
    ]
    gains = [outcome.gain for outcome in outcomes]
    return {
        "cells": len(outcomes),
        "within 5 % of the best": f"{100 * sum(ratio <= 1.05 for ratio in ratios) / len(ratios):.0f} %",
        "median ratio": statistics.median(ratios),
        "worst ratio": max(ratios),
        "worst against edge only and cloud only": 1 / min(gains),
        "cells above 1.05 x of that": sum(gain < 1 / 1.05 for gain in gains),
        "cells with gain of 1.3 or more": sum(gain >= 1.3 for gain in gains),
        "largest gain": max(gains),
        "median error of the prediction": f"{100 * statistics.median(errors):.1f} %" if errors else "",
    }


def _row(outcome: Outcome) -> dict[str, Cell]:
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
        "cloud only ms": _finite(outcome.value_ms(outcome.cloud_only)),
        "gain": outcome.gain,
        "predicted ms": outcome.predicted_ms,
        "seen ms": outcome.measured_ms,
        "switches": outcome.switches,
    }


def _finite(value: float) -> Cell:
    return value if value != float("inf") else "hopeless"


def _option(option: Option) -> dict[str, Cell]:
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
    for slowdown in options.slowdowns:
        here = {
            (outcome.cell.round_trip_ms, outcome.cell.mbit_per_s): outcome
            for outcome in outcomes
            if outcome.cell.slowdown == slowdown and outcome.cell.load == load
        }
        panels.append(
            Heat(
                f"edge slowed {slowdown:g} times",
                "Mbit/s",
                "round trip ms",
                [f"{each:g}" for each in options.mbit_per_s],
                [f"{each:g}" for each in options.round_trips_ms],
                [[here[trip, mbit].gain for mbit in options.mbit_per_s] for trip in options.round_trips_ms],
                [
                    [_short(here[trip, mbit]) for mbit in options.mbit_per_s]
                    for trip in options.round_trips_ms
                ],
            )
        )
    busy = f"cloud busy {100 * load:.0f} %" if load else "cloud idle"
    return Figure(
        f"link-{options.objective}-load-{load:g}",
        f"Gain over edge only and cloud only, {options.objective}, {busy}",
        panels,
    )


def _short(outcome: Outcome) -> str:
    return (
        f"{outcome.chosen.partition(':')[0].replace(' ', chr(10))}\n{outcome.gain:.2f} ({outcome.ratio:.2f})"
    )
