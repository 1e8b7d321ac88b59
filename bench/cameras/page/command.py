"""`python -m bench page`: an edge at which nobody looks and one with open pages in turn, against the same cloud."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from bench.cameras.page.options import PageOptions
from bench.cameras.page.trial import run
from bench.harness.system import running_cloud
from bench.report.progress import Outline, Progress
from bench.report.report import Findings, Table, about, publish
from bench.report.spread import over_rounds, several

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bench.cameras.page.trial import Measured
    from bench.report.report import Cell

TARGETS = {"share of a core, %": "at most 3 more", "frames dropped": "no more"}
_RUN_S = 30.0


def main(arguments: Sequence[str]) -> int:
    # RuntimeError: a process of the benchmark failed; the text is what it said.
    return PageOptions.read(arguments).report(_run, RuntimeError)


def _run(options: PageOptions) -> list[Path]:
    """The files that were written."""
    measured_on = about(options.weights, options.source)
    print(measured_on, flush=True)
    counts = (0, options.viewers)
    steps = 1 + len(counts) * options.rounds
    runs: dict[int, list[Measured]] = {count: [] for count in counts}
    with (
        contextlib.closing(Progress([Outline("page", steps, steps * _RUN_S)])) as progress,
        tempfile.TemporaryDirectory(prefix="splitdnn-page-") as temporary,
        contextlib.nullcontext() if options.output_only else running_cloud(options.setup) as cloud,
    ):
        progress.section()
        url, cache = cloud.url if cloud else None, str(Path(temporary) / "cache")
        progress.step("to fill the cache")
        run(options, 0, url, cache)
        for _ in range(options.rounds):
            for count in counts:
                progress.step(several(count, "viewer"))
                runs[count].append(run(options, count, url, cache))
        engine = cloud.engine() if cloud else "the edge's own choice"
    return publish(options.results, "page", Findings(engine, [comparison(options, runs)]), measured_on)


def comparison(options: PageOptions, runs: dict[int, list[Measured]]) -> Table:
    """`runs` by the number of viewers; round n of one was beside round n of the other."""
    values: dict[str, Callable[[Measured], float]] = {
        "share of a core, %": lambda each: 100 * each.core,
        "latency p50, ms": lambda each: each.latency_ms,
        "latency p95, ms": lambda each: each.late_ms,
        "frames dropped": lambda each: each.missing,
        "pictures": lambda each: each.pictures,
        "pictures gone too soon": lambda each: each.gone,
    }
    none, some = runs[0], runs[options.viewers]
    rows: list[dict[str, Cell]] = []
    for name, of in values.items():
        before, after = [of(each) for each in none], [of(each) for each in some]
        rows.append(
            {
                "": name,
                "nobody looks": over_rounds(before),
                several(options.viewers, "viewer"): over_rounds(after),
                "more": over_rounds([late - early for early, late in zip(before, after, strict=True)]),
                "target": TARGETS.get(name),
            }
        )
    note = (
        f"Medians (min–max over {several(options.rounds, 'round')}) of one edge process with one camera, {options.source}, in turn while "
        f"nobody looks and with {several(options.viewers, 'open page')}; {options.frames} frames are counted in each run. All share this "
        "machine's cores."
    )
    return Table("page", "What an edge's page costs", note, rows)
