"""`python -m bench speed`: section after section, each printed and written as soon as it is there."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING, Protocol

from bench.harness.options import read_options
from bench.report.about import about
from bench.report.progress import Progress
from bench.report.report import write
from bench.speed import clients, engines, footprint, json_contract, split, stages

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.harness.options import Options
    from bench.report.progress import Outline
    from bench.report.report import Findings


class Section(Protocol):
    """What a module of a section offers."""

    def outline(self, options: Options) -> Outline: ...
    def measure(self, options: Options, progress: Progress) -> Findings: ...


SECTIONS: dict[str, Section] = {
    "split": split,
    "engines": engines,
    "json": json_contract,
    "stages": stages,
    "clients": clients,
    "footprint": footprint,
}


def main(arguments: Sequence[str]) -> int:
    """Measure, print, write. A section that fails ends the run: its figures would be missed too late."""
    options = read_options(arguments)
    measured_on = about(options.setup.weights, options.setup.source)
    print(measured_on, flush=True)
    chosen = {name: SECTIONS[name] for name in options.sections}
    progress = Progress([section.outline(options) for section in chosen.values()])
    files = []
    try:
        for name, section in chosen.items():
            progress.section()
            findings = section.measure(options, progress)
            progress.clear()
            print(f"\n## {name} (engine: {findings.engine})")
            for table in findings.tables:
                print(f"\n{table.markdown()}", flush=True)
            files += write(options.results, name, findings, measured_on)
    except RuntimeError as error:  # a process of the benchmark failed; the text is what it said
        progress.clear()
        print(f"python -m bench speed: {error}", file=sys.stderr)
        return 1
    finally:
        progress.close()
    print("\nwritten:", *files, sep="\n  ")
    return 0
