"""`python -m bench fleet`: a hundred edges, three clouds behind a balancer, and faults, on this machine alone."""

from __future__ import annotations

import asyncio
import contextlib
import json
import os
import sys
from dataclasses import asdict
from typing import TYPE_CHECKING

from bench.harness.options import kept_or_temporary
from bench.harness.priority import may_raise, own_niceness
from bench.report.report import Findings, about, publish
from bench.soak.fleet.fleet import Fleet
from bench.soak.fleet.options import FleetOptions
from bench.soak.fleet.promises import judge
from bench.soak.fleet.report import tables

if TYPE_CHECKING:
    from collections.abc import Sequence
    from pathlib import Path

    from bench.soak.fleet.outcome import Outcome

_START_LAST = "A cloud that starts goes after everything else, as if it had a machine of its own. "


def main(arguments: Sequence[str]) -> int:
    """Exit status 1 if a promise is broken, 2 if it could not be run to its end."""
    options = FleetOptions.read(arguments)
    with kept_or_temporary(options.folder) as folder, contextlib.ExitStack() as ends:
        fleet = Fleet(options, folder, ends, _say)
        try:
            outcome = asyncio.run(fleet.run())
        except (RuntimeError, OSError) as error:
            print(f"python -m bench fleet: {error}", file=sys.stderr)
            return 2
        if options.folder:
            _keep(folder, outcome)
    promises = judge(outcome)
    setting = (
        f"{options.edges} light edges{f' and {options.real_edges} real ones' if options.real_edges else ''}, {options.clouds} clouds with one thread each behind "
        f"{fleet.balancer}; {options.model} at {options.split_point}, {fleet.bytes:.0f} bytes a frame, deadline {options.deadline:g} s; "
        f"{outcome.offered_per_s:.1f} frames/s, of {outcome.capacity_per_s:.1f} that {options.clouds - 1} clouds could do; a cloud was killed every "
        f"{options.kill_every:g} s for {options.seconds:g} s, and {options.cut_share:.0%} of the links cut every {options.cut_every:g} s. "
        f"{_START_LAST if not options.busy and may_raise(own_niceness()) else ''}"
        f"Other processes took {outcome.others_cores:.2f} of {os.cpu_count()} cores meanwhile, and this process stood still for "
        f"{outcome.pauses.within(outcome.start, outcome.end):.1f} s."
    )
    found = Findings(fleet.engine, tables(outcome, promises, setting))
    files = publish(options.results, "fleet", found, about(options.weights, options.source))
    print("\nwritten:", *files, sep="\n  ")
    broken = [each for each in promises if not each.kept]
    for each in broken:
        print(f"broken: {each.name}: {each.found}; wanted: {each.wanted}", file=sys.stderr)
    return 1 if any(not (options.busy and each.is_of_speed) for each in broken) else 0


def _say(what: str) -> None:
    print(f"fleet: {what}", file=sys.stderr, flush=True)


def _keep(folder: Path, outcome: Outcome) -> None:
    with (folder / "records.jsonl").open("w", encoding="utf-8") as file:
        for record in outcome.records:
            file.write(json.dumps(asdict(record)) + "\n")
