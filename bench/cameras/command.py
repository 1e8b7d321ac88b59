"""`python -m bench cameras`: an edge with one camera and one with several in turn, against the same cloud."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from bench.cameras.options import CamerasOptions
from bench.cameras.trial import run
from bench.harness.system import running_cloud
from bench.report.progress import Outline, Progress
from bench.report.report import Findings, Table, about, publish
from bench.report.spread import over_rounds, ratio_of_rounds, several

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from bench.cameras.trial import Measured
    from bench.report.report import Cell

TARGETS = {
    "proportional set size, MB": "at most 1.5",
    "frames/s": "at least 0.95",
    "fairness": "at least 0.9",
}
_RUN_S = 20.0


def main(arguments: Sequence[str]) -> int:
    # RuntimeError: a process of the benchmark failed; the text is what it said.
    return CamerasOptions.read(arguments).report(_run, RuntimeError)


def _run(options: CamerasOptions) -> list[Path]:
    """The files that were written."""
    measured_on = about(options.weights, options.source)
    print(measured_on, flush=True)
    counts = (1, options.cameras)
    steps = len(counts) * (options.rounds + 1)
    runs: dict[int, list[Measured]] = {count: [] for count in counts}
    with (
        contextlib.closing(Progress([Outline("cameras", steps, steps * _RUN_S)])) as progress,
        tempfile.TemporaryDirectory(prefix="splitdnn-cameras-") as temporary,
        contextlib.nullcontext() if options.output_only else running_cloud(options.setup) as cloud,
    ):
        progress.section()
        url, cache = cloud.url if cloud else None, str(Path(temporary) / "cache")
        for count in counts:
            progress.step(f"{several(count, 'camera')}, to fill the cache")
            run(options, count, url, Path(temporary), cache)
        for _ in range(options.rounds):
            for count in counts:
                progress.step(several(count, "camera"))
                runs[count].append(run(options, count, url, Path(temporary), cache))
        engine = cloud.engine() if cloud else "the edge's own choice"
    return publish(options.results, "cameras", Findings(engine, [comparison(options, runs)]), measured_on)


def comparison(options: CamerasOptions, runs: dict[int, list[Measured]]) -> Table:
    """`runs` by the number of cameras; round n of one was beside round n of the other."""
    values: dict[str, Callable[[Measured], float]] = {
        "proportional set size, MB": lambda each: each.proportional / 1e6,
        "frames/s": lambda each: each.frames_per_s,
        "fairness": lambda each: each.fairness,
        "processor time of a frame, ms": lambda each: each.cpu_ms,
    }
    one, many = runs[1], runs[options.cameras]
    rows: list[dict[str, Cell]] = []
    for name, of in values.items():
        before, after = [of(each) for each in one], [of(each) for each in many]
        rows.append(
            {
                "": name,
                "1 camera": over_rounds(before),
                f"{options.cameras} cameras": over_rounds(after),
                "ratio": ratio_of_rounds(after, before),
                "target": TARGETS.get(name),
            }
        )
    note = (
        f"Medians (min–max over {several(options.rounds, 'round')}) of one edge process, in turn with one camera and with "
        f"{options.cameras}, each of which plays {options.source} as fast as its frames are answered; {options.frames} frames of each camera "
        "are counted. Fairness: frames of the slowest camera over those of the fastest. Both sides share this machine's cores."
    )
    return Table("cameras", "Many cameras on one edge", note, rows)
