"""`python -m bench speed`: section after section, each printed and written as soon as it is measured."""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING, Protocol

from bench.report.progress import Outline, Progress
from bench.report.report import Findings, about, publish
from bench.speed import clients, engines, footprint, split, steps, tls
from bench.speed.against import section as against
from bench.speed.options import SECTIONS as NAMES
from bench.speed.options import SpeedOptions

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path


class Section(Protocol):
    """What a section's module offers."""

    def outline(self, options: SpeedOptions) -> Outline: ...
    def measure(self, options: SpeedOptions, progress: Progress) -> Findings: ...


_MODULES: tuple[Section, ...] = (split, engines, steps, clients, footprint, tls, against)
SECTIONS = dict(zip(NAMES, _MODULES, strict=True))


def main(arguments: Sequence[str]) -> int:
    # RuntimeError: a process of the benchmark failed; the text is what it said.
    return SpeedOptions.read(arguments).report(_run, RuntimeError)


def _run(options: SpeedOptions) -> list[Path]:
    """The files that were written. A section that fails ends the run, so that missing figures are noticed at once."""
    measured_on = about(options.model or options.weights, options.source)
    print(measured_on, flush=True)
    files = []
    with contextlib.closing(Progress([SECTIONS[name].outline(options) for name in options.only])) as progress:
        for name in options.only:
            progress.section()
            findings = SECTIONS[name].measure(options, progress)
            progress.clear()
            files += publish(options.results, name, findings, measured_on)
    return files
