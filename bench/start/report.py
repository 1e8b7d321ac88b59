"""The table of a comparison: a row for each quantity, a column for each contender, and the ratios to the last one."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.report.report import Cell, Table
from bench.report.spread import over_rounds, ratio_of_rounds, several
from bench.start.trial import CLOUD_MEMORY, EDGE_MEMORY, EDGE_START

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence

    from bench.start.options import StartOptions
    from bench.start.trial import Measured

TARGETS = {EDGE_START: 0.35, EDGE_MEMORY: 0.5, CLOUD_MEMORY: 0.7}
"""What an edge and a cloud without torch may take at most, as a share of those that computed with it (562b9e5)."""


def comparison(options: StartOptions, runs: Mapping[str, Sequence[Measured]]) -> Table:
    """`runs` holds every contender's rounds, the base of the ratios last; round n of one was beside round n of the others."""
    *others, base = runs
    rows = []
    for quantity in runs[base][0]:
        values = {name: [run[quantity] for run in each] for name, each in runs.items()}
        row: dict[str, Cell] = {"": quantity}
        row |= {name: over_rounds(each) for name, each in values.items()}
        row |= {f"{name} / {base}": ratio_of_rounds(values[name], values[base]) for name in others}
        if options.against:
            row["target"] = f"at most {TARGETS[quantity]:g}" if quantity in TARGETS else None
        rows.append(row)
    note = (
        f"Medians (min–max over {several(options.rounds, 'round')}) at {options.split_point} ({options.codec}), all in turn in each round, "
        "each with a --cache-dir that an earlier run has filled. An edge's start is measured beside a cloud that is ready; "
        f"memory is that of the process and all that it has started, after {options.warm_frames + options.frames} frames and with the next ones "
        "under way. A page that n processes share counts as 1/n in the proportional set size, so nothing else that maps "
        "the same libraries should run meanwhile. Both sides share this machine's cores."
    )
    return Table("start", "Start, memory and rate", note, rows)
