"""What TLS and a token cost: the same edge against a cloud without them and against one with both, in turn.

Head and tail, which take most of a frame's processor time, have nothing to do with it, and vary by more than what is looked
for. So what they took is left out: the steps that a process exports are measured by thread.
"""

from __future__ import annotations

import contextlib
import tempfile
from collections import defaultdict
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

from bench.harness.keys import Keys
from bench.harness.process import cpu_s
from bench.harness.scrape import scrape
from bench.harness.system import Cloud, Edge
from bench.report.progress import Outline, Progress
from bench.report.report import Cell, Findings, Table
from bench.report.spread import over_rounds, several
from bench.speed.points import named, profile_flags
from bench.speed.steps import Costs, Sample
from bench.speed.window import frames_needed, watch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.harness.scrape import Metrics
    from bench.harness.system import Setup
    from bench.speed.options import SpeedOptions

PLAIN, GUARDED = "plain", "TLS + token"
_TARGET = "at most 0.5"
_EDGE = "edge"


def outline(options: SpeedOptions) -> Outline:
    runs = 2 * options.rounds
    return Outline("tls", 1 + runs, 12 + runs * (5 + (options.warm_frames + options.frames) / 12))


def measure(options: SpeedOptions, progress: Progress) -> Findings:
    """Rounds over [plain, TLS + token]; both clouds run all the time, and one is idle."""
    one_thread = replace(options.setup, threads=1)
    progress.step("starting two clouds")
    with contextlib.ExitStack() as ends:
        folder = Path(ends.enter_context(tempfile.TemporaryDirectory(prefix="splitdnn-tls-")))
        keys = {PLAIN: None, GUARDED: Keys.make(folder, [_EDGE])}
        clouds = {
            name: ends.enter_context(Cloud(one_thread.flags(), keys=each)) for name, each in keys.items()
        }
        for cloud in clouds.values():
            cloud.wait_until_ready()
        description = clouds[PLAIN].describe()
        engine, setup = clouds[PLAIN].engine(), one_thread.like(clouds[PLAIN])
        point = options.stage_point or description["default_split_point"]
        costs: dict[str, Costs] = defaultdict(Costs)
        shaken: list[Handshakes] = []
        for name in progress.rounds(options.rounds, list(clouds), "{}"):
            found = _run(options, setup, clouds[name], point, costs[name])
            if name == GUARDED:
                shaken.append(found)
    note = (
        f"{named(description)}, {point}, {options.codec}, one thread a process. CPU of each process by the kernel, in ms a frame: medians (min–max over "
        f"{several(options.rounds, 'round')}) of {options.frames} frames a run, after {options.warm_frames} for warming up. `{GUARDED} − {PLAIN}` is between "
        "the two runs of a round. Each window holds one of this section's own scrapes of each side, over TLS where the cloud "
        f"speaks it. {said(shaken)}"
    )
    return Findings(engine, [Table("tls", "What TLS and a token cost", note, rows(costs))])


def rows(costs: dict[str, Costs]) -> list[dict[str, Cell]]:
    """Each process, and both without head and tail."""
    quantities = {
        "edge": [each.total["edge"] for each in costs.values()],
        "cloud": [each.total["cloud"] for each in costs.values()],
        "both": [_both(each) for each in costs.values()],
        "both, without head and tail": [each.overhead() for each in costs.values()],
    }
    found: list[dict[str, Cell]] = []
    for quantity, values in quantities.items():
        by = dict(zip(costs, values, strict=True))
        more = [over - under for over, under in zip(by[GUARDED], by[PLAIN], strict=True)]
        found.append(
            {
                "CPU ms/frame": quantity,
                **{name: over_rounds(each) for name, each in by.items()},
                f"{GUARDED} − {PLAIN}": over_rounds(more),
                "target": _TARGET if "without" in quantity else None,
            }
        )
    return found


class Handshakes:
    """Those of one run, from three looks at the cloud: before the edge, and at both ends of the window."""

    def __init__(self, before: Metrics, first: Metrics, last: Metrics) -> None:
        counts = [
            each.value("splitdnn_cloud_handshakes_total", result="complete") or 0.0
            for each in (before, first, last)
        ]
        # Each look is a connection of its own, whose handshake it counts.
        self.all = counts[2] - counts[0] - 2
        self.in_window = counts[2] - counts[1] - 1
        self.connections = (last.value("splitdnn_cloud_connections") or 0.0) - 1
        """Open at the end, the edge's."""


def said(runs: Sequence[Handshakes]) -> str:
    """The handshakes, in a sentence."""
    shaken, open_now, within = (
        sum(values) for values in zip(*((x.all, x.connections, x.in_window) for x in runs), strict=True)
    )
    return (
        f"The edges had {open_now:.0f} connections open at the end of {several(len(runs), 'run')}, and made {shaken:.0f} handshakes for them, "
        f"{within:.0f} of those while frames were counted."
    )


def _run(options: SpeedOptions, setup: Setup, cloud: Cloud, point: str, costs: Costs) -> Handshakes:
    shape = {"warm": options.warm_frames, "frames": options.frames}
    flags = [
        *profile_flags(options.profile, options.codec),
        *(cloud.keys.edge_flags(_EDGE) if cloud.keys else []),
    ]
    looks = [cloud.metrics()]
    with Edge(setup, cloud.url, point, options.codec, frames_needed(**shape), *flags) as edge:

        def sample() -> Sample:
            metrics = cloud.metrics()
            looks.append(metrics)
            return Sample(
                {"edge": cpu_s(edge.pid), "cloud": cpu_s(cloud.pid)},
                {"edge": scrape(edge.url), "cloud": metrics},
            )

        [window] = watch(edge, sample, **shape, answered_by="cloud")
    costs.add(window)
    before, first, last = looks
    return Handshakes(before, first, last)


def _both(costs: Costs) -> list[float]:
    return [sum(sides) for sides in zip(*costs.total.values(), strict=True)]
