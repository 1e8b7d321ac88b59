"""This checkout beside another version of the project: both sides of each, on the same clip, in turn.

What one machine does in one minute says little about another minute, so only ratios between runs of one round are of use. Frames/s
are those of processes with the threads that they take themselves; where the processor time goes is told by processes of one thread,
whose steps hold all of an engine's work.
"""

from __future__ import annotations

import contextlib
from dataclasses import replace
from typing import TYPE_CHECKING

from bench.harness.process import cpu_s
from bench.harness.scrape import scrape
from bench.harness.system import Cloud, Edge, Setup
from bench.harness.worker import Worker
from bench.report.progress import Outline, Progress
from bench.report.report import Cell, Findings, Table
from bench.report.spread import over_rounds, ratio_of_rounds, several
from bench.speed.halves import Halves
from bench.speed.points import PICTURE, named
from bench.speed.steps import REST, Costs, Sample
from bench.speed.window import frames_needed, watch

if TYPE_CHECKING:
    from collections.abc import Iterator, Mapping, Sequence

    from bench.harness.contender import Contender
    from bench.speed.options import SpeedOptions

_POINTS = ("layer2", "layer3", "layer4")
_BASE_CODEC = "int8+zstd"
_PICTURES = "jpeg"
_ALONE = "engine"
_SIDES = ("edge", "cloud")
_NETWORK = ("head", "tail")

Runs = dict[tuple[str, str], list[dict[str, float]]]
"""By split point and contender, what each round gave."""


def outline(options: SpeedOptions) -> Outline:
    runs = 2 * options.rounds * (len(_points(options)) + 1)
    return Outline(
        "against", 2 + runs + options.rounds, 30 + runs * (5 + (options.warm_frames + options.frames) / 20)
    )


def measure(options: SpeedOptions, progress: Progress) -> Findings:
    """Rounds over the split points, at each both checkouts; then rounds of one thread at the stages' point."""
    this, base = options.contenders
    engine, tables = "", []
    runs: Runs = {}
    alone: list[tuple[float, float]] = []
    progress.step("starting two clouds")
    with (
        _clouds(options, this, base) as clouds,
        Worker(Halves, options.setup, options.model or "resnet50") as worker,
    ):
        engine = clouds[this.name].engine()
        description = clouds[this.name].describe()
        for number in range(1, options.rounds + 1):
            progress.step(f"the engine alone, round {number} of {options.rounds}")
            alone.append(worker.ask(Halves.whole, options.engine_s))
            for point in _points(options):
                for contender in (base, this):
                    progress.step(f"{point}, {contender.name}, round {number} of {options.rounds}")
                    found = _run(options, contender, clouds[contender.name], point)
                    runs.setdefault((point, contender.name), []).append(_figures(found))
        base_engine = clouds[base.name].engine()
    tables.append(
        Table(
            "against",
            "This checkout against another",
            _note(options, named(description), base_engine),
            rows(runs, alone),
        )
    )
    costs = {each.name: Costs() for each in (this, base)}
    point = options.stage_point or description["default_split_point"]
    progress.step("starting two clouds of one thread")
    with _clouds(options, this, base, threads=1) as clouds:
        for name in progress.rounds(options.rounds, [base.name, this.name], "one thread, {}"):
            contender = this if name == this.name else base
            costs[name].add(_run(options, contender, clouds[name], point, threads=1))
    note = (
        f"{point}, one thread a process, so that an engine's work is in its step. CPU ms a frame: medians (min–max over {several(options.rounds, 'round')} "
        f"of {options.frames} frames). `{REST}` is a process's CPU less its steps', and holds this section's scrapes. Overhead is the CPU of both processes less head and tail."
    )
    tables.append(
        Table(
            "against_steps",
            f"Where the processor time goes at {point}",
            note,
            step_rows(costs[this.name], costs[base.name]),
        )
    )
    return Findings(engine, tables, [])


def rows(runs: Runs, alone: Sequence[tuple[float, float]]) -> list[dict[str, Cell]]:
    """The engine alone, then both checkouts at each split point."""
    found: list[dict[str, Cell]] = [
        {
            "split point": "the engine alone, back to back",
            "frames/s": over_rounds([rate for rate, _ in alone]),
            "CPU ms/frame": over_rounds([cpu for _, cpu in alone]),
        }
    ]
    for point in dict.fromkeys(point for point, _ in runs):
        this, base = runs[point, "this"], runs[point, "against"]
        row: dict[str, Cell] = {"split point": point}
        for name in ("frames/s", "CPU ms/frame"):
            ours, theirs = ([each[name] for each in side] for side in (this, base))
            row |= {
                name: over_rounds(ours),
                f"{name}, against": over_rounds(theirs),
                f"{name}, ratio": ratio_of_rounds(ours, theirs),
            }
        row["of the engine alone"] = ratio_of_rounds(
            [each["frames/s"] for each in this], [rate for rate, _ in alone]
        )
        for side in _SIDES:
            row[f"{side}'s CPU"] = over_rounds([each[side] for each in this])
        row["bytes/frame"] = round(this[-1]["bytes"])
        found.append(row)
    return found


def step_rows(this: Costs, base: Costs) -> list[dict[str, Cell]]:
    """A row for each step of either checkout, what no step holds, and the overhead."""
    found: list[dict[str, Cell]] = []

    def add(side: str, step: str, ours: Sequence[float], theirs: Sequence[float]) -> None:
        found.append(
            {
                "side": side,
                "step": step,
                "this": over_rounds(ours) if ours else None,
                "against": over_rounds(theirs) if theirs else None,
            }
        )

    for side in _SIDES:
        for step in dict.fromkeys(step for where, step in [*this.cpu, *base.cpu] if where == side):
            ours, theirs = (each.cpu.get((side, step), []) for each in (this, base))
            if any(ours) or any(theirs):
                add(side, step, ours, theirs)
        add(side, REST, this.rest(side), base.rest(side))
        add(side, "whole process", this.total[side], base.total[side])
    add("both", "overhead: all but head and tail", this.overhead(), base.overhead())
    return found


def _points(options: SpeedOptions) -> tuple[str, ...]:
    return options.split_points if options.model and options.split_points else _POINTS


@contextlib.contextmanager
def _clouds(
    options: SpeedOptions, *contenders: Contender, threads: int | None = None
) -> Iterator[Mapping[str, Cloud]]:
    """A cloud of each, ready; all but one are idle at any time."""
    with contextlib.ExitStack() as ends:
        clouds = {
            each.name: ends.enter_context(
                Cloud([*each.flags, *_threads(options, threads)], checkout=each.checkout)
            )
            for each in contenders
        }
        for cloud in clouds.values():
            cloud.wait_until_ready()
        yield clouds


def _threads(options: SpeedOptions, threads: int | None) -> list[str]:
    chosen = threads or options.threads
    return [f"--threads={chosen}"] if chosen else []


def _run(options, contender, cloud, point, threads=None):
    codec = _PICTURES if point == PICTURE else options.codec if contender.name == "this" else _BASE_CODEC
    shape = {"warm": options.warm_frames, "frames": options.frames}
    flags = [*contender.flags, *_threads(options, threads)]
    source = Setup(None, options.source)
    with Edge(
        source, cloud.url, point, codec, frames_needed(**shape), *flags, checkout=contender.checkout
    ) as edge:

        def sample() -> Sample:
            return Sample(
                {"edge": cpu_s(edge.pid), "cloud": cpu_s(cloud.pid)},
                {"edge": scrape(edge.url), "cloud": scrape(cloud.url)},
            )

        [window] = watch(edge, sample, **shape, answered_by="cloud")
    return window


def _figures(window):
    count = len(window.records)
    cpu = {side: 1e3 * (window.after.cpu_s[side] - window.before.cpu_s[side]) / count for side in _SIDES}
    return {
        "frames/s": window.frames_per_s,
        "CPU ms/frame": sum(cpu.values()),
        **cpu,
        "bytes": sum(record["payload_bytes"] for record in window.records) / count,
    }


def _note(options, name, base_engine):
    return f"{name} against {options.against_model} by {base_engine}"
