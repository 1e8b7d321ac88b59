"""`python -m bench scale`: how a cloud alone scales with clients, threads, batches and workers."""

from __future__ import annotations

import contextlib
import tempfile
import time
from pathlib import Path
from typing import TYPE_CHECKING

from bench.harness.frames import build_frames
from bench.load.scale.options import ScaleOptions
from bench.load.scale.report import tables
from bench.load.scale.trial import clouds, measure
from bench.report.progress import Outline, Progress
from bench.report.report import Findings, about, publish
from shared.process.threads import available_cores

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.load.scale.report import Results

_FRAMES = 8


def main(arguments: Sequence[str]) -> int:
    # RuntimeError: a process of the benchmark failed; the text is what it said.
    return ScaleOptions.read(arguments).report(_run, RuntimeError)


def _run(options: ScaleOptions) -> list[Path]:
    """The files that were written."""
    measured_on = about(options.weights, options.setup.source)
    print(measured_on, flush=True)
    results: Results = {}
    until = time.monotonic() + options.seconds
    with contextlib.ExitStack() as stack:
        frames = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="splitdnn-scale-")))
        progress = stack.enter_context(
            contextlib.closing(Progress([Outline("scale", options.cells + 1, options.seconds)]))
        )
        progress.section()
        progress.step("frames, and clouds that start")
        build_frames(frames, options.setup, [options.split_point], _FRAMES, model=options.model)
        running = stack.enter_context(clouds(options))
        engine = next(iter(running.values())).engine()
        for clients in options.clients:
            for shape, cloud in running.items():
                progress.step(
                    f"{clients} clients, {shape.workers} workers, {shape.threads} threads, batches of {shape.batch}"
                )
                seconds = options.cell_s(until - time.monotonic(), options.cells - len(results))
                results[shape, clients] = measure(options.split_point, frames, cloud, clients, seconds)
    found = Findings(engine, tables(results, available_cores()))
    return publish(options.results, "scale", found, measured_on)
