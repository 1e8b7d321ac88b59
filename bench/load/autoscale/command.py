"""`python -m bench autoscale`: whether deploy/kubernetes scales in time."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.load.autoscale.options import AutoscaleOptions
from bench.load.autoscale.pod import Service
from bench.load.autoscale.replay import replay
from bench.load.autoscale.report import fitted, measured_table, moments_table, replay_table
from bench.load.autoscale.trial import measured
from bench.report.report import Findings, about, publish

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bench.report.report import Table

_NOTE = "A closed loop sends when it has its answer; the other loads come from 40 clients, each evenly and at its own time."


def main(arguments: Sequence[str]) -> int:
    # RuntimeError: a process of the benchmark failed; the text is what it said.
    return AutoscaleOptions.read(arguments).report(_run, RuntimeError)


def _run(options: AutoscaleOptions) -> list[Path]:
    """The files that were written."""
    measured_on = about(options.weights, options.setup.source)
    print(measured_on, flush=True)
    tables: list[Table] = []
    service = Service()
    if options.measure:
        results = {}
        for name, each in measured(options):
            print(f"  {name}", flush=True)
            results[name] = each
        service = fitted(results, float(options.threads))
        tables.append(measured_table(results, service, _NOTE))
    outcomes = {}
    for trace in options.chosen_traces:
        for manifest in options.manifests(service):
            print(f"  {trace.name}, {manifest.name}", flush=True)
            outcomes[trace, manifest.name] = replay(trace, manifest, service, options.start)
    if outcomes:
        tables += [replay_table(outcomes, service, options.start), moments_table(outcomes)]
    engine = "that of the cloud" if options.measure else "modelled"
    return publish(options.results, "autoscale", Findings(engine, tables), measured_on)
