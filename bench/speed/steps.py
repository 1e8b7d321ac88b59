"""Where each millisecond goes at one split point: waiting, computing, and the overhead around them.

Both processes run with one thread each: an engine then computes in the thread that calls it, so the CPU counters of the
steps, which read that thread's clock, hold all of its work.
"""

from __future__ import annotations

from dataclasses import dataclass, field, replace
from typing import TYPE_CHECKING

from bench.harness.process import cpu_s
from bench.harness.scrape import Metrics, scrape
from bench.harness.system import Edge, running_cloud
from bench.report.plots import Figure, Stacks
from bench.report.progress import Outline, Progress
from bench.report.report import Cell, Findings, Table
from bench.report.spread import over_frames, over_rounds
from bench.speed.points import named, profile_flags
from bench.speed.window import Window, frames_needed, watch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.speed.options import SpeedOptions

_SIDES = ("edge", "cloud")
_NETWORK = ("head", "tail")
REST = "event loops, HTTP, results, metrics"
ON_THE_WAY = "send, without the cloud's steps"


@dataclass(frozen=True)
class Sample:
    """Both sides at one moment: CPU seconds since their start, and their metrics."""

    cpu_s: dict[str, float]
    metrics: dict[str, Metrics]

    def steps_cpu_s(self, side: str) -> dict[str, float]:
        """Empty if a side does not export it."""
        return self.metrics[side].by_label(f"splitdnn_{side}_stage_cpu_seconds_total", "stage")


@dataclass(frozen=True)
class Costs:
    """Milliseconds a frame, by side and step."""

    wall: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    """One for each frame."""
    cpu: dict[tuple[str, str], list[float]] = field(default_factory=dict)
    """One for each window."""
    total: dict[str, list[float]] = field(default_factory=lambda: {side: [] for side in _SIDES})
    """CPU of the whole process, one for each window."""

    def add(self, window: Window[Sample]) -> None:
        for record in window.records:
            steps: dict[str, float] = record["stages_ms"]
            for name, milliseconds in steps.items():
                key = ("cloud", name[6:]) if name.startswith("cloud.") else ("edge", name)
                self.wall.setdefault(key, []).append(milliseconds)
            in_cloud = sum(ms for name, ms in steps.items() if name.startswith("cloud."))
            self.wall.setdefault(("edge", ON_THE_WAY), []).append(steps["send"] - in_cloud)
        frames = len(window.records)
        for side in _SIDES:
            self.total[side].append(1e3 * (window.after.cpu_s[side] - window.before.cpu_s[side]) / frames)
            before = window.before.steps_cpu_s(side)
            for step, seconds in window.after.steps_cpu_s(side).items():
                milliseconds = 1e3 * (seconds - before.get(step, 0.0)) / frames
                self.cpu.setdefault((side, step), []).append(milliseconds)

    def exports_cpu(self, side: str) -> bool:
        return any(where == side for where, _ in self.cpu)

    def rest(self, side: str) -> list[float]:
        """The CPU of each window that no step of this side accounts for."""
        steps = [values for (where, _), values in self.cpu.items() if where == side]
        return [whole - sum(each) for whole, *each in zip(self.total[side], *steps, strict=True)]

    def overhead(self) -> list[float]:
        """The CPU of both processes in each window, less that of the network."""
        network = [values for (_, step), values in self.cpu.items() if step in _NETWORK]
        both = [sum(sides) for sides in zip(*self.total.values(), strict=True)]
        return [whole - sum(each) for whole, *each in zip(both, *network, strict=True)]


def outline(options: SpeedOptions) -> Outline:
    frames = options.stage_windows * options.stage_frames
    return Outline("stages", 2, 12 + frames / 10)


def measure(options: SpeedOptions, progress: Progress) -> Findings:
    """One run, in several windows of frames; CPU time is read at both ends of each window."""
    shape = {"warm": options.warm_frames, "frames": options.stage_frames, "windows": options.stage_windows}
    one_thread = replace(options.setup, threads=1)
    codec = options.codec
    progress.step("starting a cloud")
    with running_cloud(one_thread) as cloud:
        description = cloud.describe()
        point = options.stage_point or description["default_split_point"]
        engine, setup = cloud.engine(), one_thread.like(cloud)
        progress.step(f"{options.stage_windows} x {options.stage_frames} frames")
        flags = profile_flags(options.profile, codec)
        with Edge(setup, cloud.url, point, codec, frames_needed(**shape), *flags) as edge:

            def sample() -> Sample:
                return Sample(
                    {"edge": cpu_s(edge.pid), "cloud": cpu_s(cloud.pid)},
                    {"edge": scrape(edge.url), "cloud": scrape(cloud.url)},
                )

            windows = watch(edge, sample, **shape, answered_by="cloud")
    costs = Costs()
    for window in windows:
        costs.add(window)
    number, frames = options.stage_windows, options.stage_frames
    note = (
        f"{named(description)}, {codec}, one thread a process. Wall: median (quartiles) of {number * frames} frames; `send` holds the cloud's "
        f"steps, of which `top` makes the answer of the outputs: classes, boxes or what the task says. CPU: per frame, median (min–max over {number} windows of {frames} frames). `{REST}` is a process's CPU "
        "less its steps' and holds this section's own scrapes, two of each side for a window. Overhead is the CPU of "
        "both processes less head and tail."
    )
    title = f"Where the time goes at {point}"
    tables = [Table("stages", title, note, rows(costs)), event_loops(windows[-1].after)]
    return Findings(engine, tables, [_figure(costs, f"{point}, {codec}")])


def rows(costs: Costs) -> list[dict[str, Cell]]:
    """A row for each step of each side that ran, then what is left of its process; the overhead comes last."""
    found: list[dict[str, Cell]] = []

    def add(side: str, step: str, wall_ms: Sequence[float], cpu_ms: Sequence[float]) -> None:
        wall = over_frames(wall_ms) if wall_ms else None
        cpu = over_rounds(cpu_ms) if cpu_ms else None
        found.append({"side": side, "step": step, "wall ms": wall, "CPU ms/frame": cpu})

    for side in _SIDES:
        for step in dict.fromkeys(step for where, step in [*costs.wall, *costs.cpu] if where == side):
            wall, cpu = costs.wall.get((side, step), []), costs.cpu.get((side, step), [])
            if wall or any(cpu):  # a step that never ran is not shown
                add(side, step, wall, cpu if any(cpu) else [])
        if costs.exports_cpu(side):
            add(side, REST, [], costs.rest(side))
        add(side, "whole process", [], costs.total[side])
    if costs.cpu:
        add("both", "overhead: all but head and tail", [], costs.overhead())
    return found


def event_loops(sample: Sample) -> Table:
    """Rows of single figures, without a spread; empty if a side does not export them."""

    def milliseconds(side: str, name: str) -> float | None:
        seconds = sample.metrics[side].value(f"splitdnn_{side}_event_loop_longest_{name}_seconds")
        return None if seconds is None else 1e3 * seconds

    rows: list[dict[str, Cell]] = [
        {
            "side": side,
            "longest block ms": milliseconds(side, "block"),
            "most CPU of one turn ms": milliseconds(side, "computation"),
        }
        for side in _SIDES
    ]
    note = (
        "The longest time for which an event loop served nothing, since its process takes frames, this section's scrapes "
        "included; and the most that one turn of it computed. By what a block is longer, its thread waited for a core."
    )
    return Table("event_loops", "Event loops", note, rows)


def _figure(costs: Costs, where: str) -> Figure:
    """Stacks of medians. The wall time of `send` stands as the cloud's steps and the rest of it."""

    def median(values: Sequence[float]) -> float:
        return max(0.0, over_rounds(values).median) if values else 0.0

    parts = {
        f"{side}: {step}": [
            0.0 if step == "send" else median(costs.wall.get((side, step), [])),
            median(costs.cpu.get((side, step), [])),
        ]
        for side, step in dict.fromkeys([*costs.wall, *costs.cpu])
    }
    for side in _SIDES:
        name, cpu = (
            (REST, costs.rest(side)) if costs.exports_cpu(side) else ("whole process", costs.total[side])
        )
        parts[f"{side}: {name}"] = [0.0, median(cpu)]
    shown = {name: values for name, values in parts.items() if any(values)}
    panel = Stacks("ms per frame (medians)", ["wall", "CPU"], shown)
    title = f"Where each millisecond goes at {where}, one thread a process"
    return Figure("stages", title, [panel])
