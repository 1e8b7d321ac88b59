"""`python -m bench mixed`: clients of several split points at one cloud, beside another checkout's."""

from __future__ import annotations

import contextlib
import tempfile
from pathlib import Path
from typing import TYPE_CHECKING

from bench.harness.frames import build_frames
from bench.load.mixed.options import MixedOptions
from bench.load.mixed.report import tables
from bench.load.mixed.trial import clouds, measure
from bench.report.progress import Outline, Progress
from bench.report.report import Findings, about, publish

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.load.mixed.report import Cells

_FRAMES = 8
_LOAD_S = 2.0
"""What a load takes beside its time."""


def main(arguments: Sequence[str]) -> int:
    # RuntimeError: a process of the benchmark failed; the text is what it said.
    return MixedOptions.read(arguments).report(_run, RuntimeError)


def _run(options: MixedOptions) -> list[Path]:
    """The files that were written."""
    measured_on = about(options.weights, options.setup.source)
    print(measured_on, flush=True)
    cases = [(mix, clients) for mix in options.mixes for clients in options.clients]
    cells: Cells = {}
    with contextlib.ExitStack() as stack:
        frames = Path(stack.enter_context(tempfile.TemporaryDirectory(prefix="splitdnn-mixed-")))
        steps = 1 + options.rounds * len(cases) * len(options.contenders())
        outline = Outline("mixed", steps, steps * (options.seconds + options.warm + _LOAD_S))
        progress = stack.enter_context(contextlib.closing(Progress([outline])))
        progress.section()
        progress.step("frames, and clouds that start")
        points = list(dict.fromkeys(point for mix in options.mixes for point in mix))
        build_frames(frames, options.setup, points, _FRAMES, model=options.model)
        running = stack.enter_context(clouds(options, frames))
        engine = running["this"].engine()
        runs = [(*case, name) for case in cases for name in running]
        for mix, clients, name in progress.rounds(options.rounds, runs, "{0}, {1} clients, {2}"):
            trial = measure(running[name], frames, mix, clients, options)
            cells.setdefault((mix, clients, name), []).append(trial)
    return publish(options.results, "mixed", Findings(engine, tables(cells, options)), measured_on)
