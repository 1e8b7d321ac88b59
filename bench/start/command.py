"""`python -m bench start`: checkouts or engines in turn, round by round, each with a cache of its own that is warm."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from bench.report.progress import Outline, Progress
from bench.report.report import Findings, about, publish
from bench.start.options import StartOptions
from bench.start.report import comparison
from bench.start.trial import Measured, run

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.harness.contender import Contender

_RUN_S = 20.0


def main(arguments: Sequence[str]) -> int:
    # RuntimeError: a process of the benchmark failed; the text is what it said.
    return StartOptions.read(arguments).report(_run, RuntimeError)


def _run(options: StartOptions) -> list[Path]:
    """The files that were written."""
    contenders = options.contenders()
    measured_on = about(options.weights or "as --help says", "synthetic")
    print(measured_on, flush=True)
    steps = len(contenders) * (1 + options.rounds)
    with contextlib.closing(Progress([Outline("start", steps, steps * _RUN_S)])) as progress:
        progress.section()
        runs = _measure(options, contenders, progress)
    engines = "that of each" if len(contenders) > 1 else "as chosen"
    return publish(options.results, "start", Findings(engines, [comparison(options, runs)]), measured_on)


def _measure(
    options: StartOptions, contenders: Sequence[Contender], progress: Progress
) -> dict[str, list[Measured]]:
    """All rounds of each contender, by its name. A first run that does not count fills its cache."""
    runs: dict[str, list[Measured]] = {each.name: [] for each in contenders}
    by_name = {each.name: each for each in contenders}
    with tempfile.TemporaryDirectory(prefix="splitdnn-start-") as caches:
        folders = {name: str(Path(caches) / str(number)) for number, name in enumerate(runs)}
        for name, contender in by_name.items():
            progress.step(f"{name}, to fill its cache")
            run(options, contender, folders[name])
        for name in progress.rounds(options.rounds, list(runs), "{}"):
            runs[name].append(run(options, by_name[name], folders[name]))
    return runs
