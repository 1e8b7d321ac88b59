"""Beside another version of the project: both sides of each, on the same clip, in turn.

What a machine does in one minute says little of the next, so only ratios between runs of one round are of use. Frames/s are those of
processes with the threads that they take themselves. Where the processor time goes is told by processes of one thread, whose steps
hold all of an engine's work.
"""

from __future__ import annotations

import contextlib
from typing import TYPE_CHECKING

from bench.harness.process import cpu_s
from bench.harness.scrape import scrape
from bench.harness.system import Cloud, Edge, Setup
from bench.harness.worker import Worker
from bench.report.progress import Outline
from bench.report.report import Findings, Table
from bench.report.spread import several
from bench.speed.against.tables import rows, step_rows
from bench.speed.halves import Halves
from bench.speed.points import PICTURE, named
from bench.speed.steps import REST, Costs, Sample
from bench.speed.window import frames_needed, watch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bench.harness.contender import Contender
    from bench.report.progress import Progress
    from bench.speed.against.tables import Runs
    from bench.speed.options import SpeedOptions
    from bench.speed.window import Window

_BASE_CODEC = "int8+zstd"
_PICTURES = "jpeg"
_NETWORK = "resnet50"


def outline(options: SpeedOptions) -> Outline:
    runs = 2 * options.rounds * (len(options.against_points) + 1)
    seconds = 30 + runs * (5 + (options.warm_frames + options.frames) / 20)
    return Outline("against", 2 + runs + options.rounds, seconds)


def measure(options: SpeedOptions, progress: Progress) -> Findings:
    """Rounds over the split points, at each both checkouts; then rounds of one thread at the stages' point."""
    contenders = options.contenders
    this, base = contenders
    runs: Runs = {}
    alone: list[tuple[float, float]] = []
    progress.step("starting two clouds")
    with (
        _clouds(options, contenders) as clouds,
        Worker(Halves, options.setup, options.model or _NETWORK) as worker,
    ):
        engine, description = clouds[this.name].engine(), clouds[this.name].describe()
        base_engine = clouds[base.name].engine()
        for number in range(1, options.rounds + 1):
            progress.step(f"the engine alone, round {number} of {options.rounds}")
            alone.append(worker.ask(Halves.whole, options.engine_s))
            for point in options.against_points:
                for contender in (base, this):
                    progress.step(f"{point}, {contender.name}, round {number} of {options.rounds}")
                    window = _run(options, contender, clouds[contender.name], point)
                    runs.setdefault((point, contender.name), []).append(window)
    costs = {each.name: Costs() for each in contenders}
    point = options.stage_point or description["default_split_point"]
    progress.step("starting two clouds of one thread")
    with _clouds(options, contenders, threads=1) as clouds:
        for number in range(1, options.rounds + 1):
            for contender in (base, this):
                progress.step(f"one thread, {contender.name}, round {number} of {options.rounds}")
                window = _run(options, contender, clouds[contender.name], point, threads=1)
                costs[contender.name].add(window)
    rounds = several(options.rounds, "round")
    note = (
        f"{named(description)}, {options.codec}, against {options.against_model} of {base.checkout.folder.name}, {base_engine}, {_BASE_CODEC}. Medians (min–max over "
        f"{rounds}) of {options.frames} frames a run, after {options.warm_frames} for warming up; ratios are between runs of one round. Edge and "
        f"cloud share this machine's cores; CPU is of both. `Engine alone`: the whole network on one picture after another for {options.engine_s:g} s, in a process that does "
        "nothing else."
    )
    step_note = (
        f"{point}, one thread a process, so that an engine's work is in its step. CPU ms a frame: medians (min–max over {rounds}). `{REST}` is a "
        "process's CPU less its steps', and holds this section's scrapes. Overhead is the CPU of both processes less head and tail."
    )
    title = f"Where the processor time goes at {point}"
    tables = [
        Table("against", "This checkout against another", note, rows(runs, alone)),
        Table("against_steps", title, step_note, step_rows(costs[this.name], costs[base.name])),
    ]
    return Findings(engine, tables, [])


@contextlib.contextmanager
def _clouds(
    options: SpeedOptions, contenders: Sequence[Contender], threads: int | None = None
) -> Iterator[Mapping[str, Cloud]]:
    """A cloud of each, ready; all but one are idle at any time."""
    with contextlib.ExitStack() as ends:
        clouds = {
            each.name: ends.enter_context(
                Cloud([*each.flags, *_more(options, each, threads, "tail")], checkout=each.checkout)
            )
            for each in contenders
        }
        for cloud in clouds.values():
            cloud.wait_until_ready()
        yield clouds


def _run(
    options: SpeedOptions, contender: Contender, cloud: Cloud, point: str, threads: int | None = None
) -> Window[Sample]:
    codec = options.codec if contender.name == "this" else _BASE_CODEC
    shape = {"warm": options.warm_frames, "frames": options.frames}
    # The engine that the cloud has chosen: a choice by an edge of its own would be made beside a cloud.
    with Edge(
        Setup(None, options.source).like(cloud), cloud.url, point, _PICTURES if point == PICTURE else codec, frames_needed(**shape),
        *contender.flags, *_more(options, contender, threads, "head"), checkout=contender.checkout,
    ) as edge:  # fmt: skip

        def sample() -> Sample:
            return Sample(
                {"edge": cpu_s(edge.pid), "cloud": cpu_s(cloud.pid)},
                {"edge": scrape(edge.url), "cloud": scrape(cloud.url)},
            )

        [window] = watch(edge, sample, **shape, answered_by="cloud")
    return window


def _more(options: SpeedOptions, contender: Contender, threads: int | None, half: str) -> list[str]:
    """Flags of the process that runs this half."""
    if chosen := threads or options.threads:
        return [f"--threads={chosen}"]
    at_once = options.at_once if contender.name == "this" else 0
    return [f"--{half}-workers={at_once}"] if at_once else []
