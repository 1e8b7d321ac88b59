"""Where each millisecond goes at layer3: waiting, computing, and what the machinery around it takes.

Both processes run with one thread each: an engine then computes in the thread that calls it, so the stages' CPU counters,
which read that thread's clock, hold all of its work.
"""

from __future__ import annotations

from dataclasses import dataclass, replace
from typing import TYPE_CHECKING

from bench.harness import proc
from bench.harness.scrape import Metrics, scrape
from bench.harness.system import Edge, running_cloud
from bench.report.plots import Figure, Stacks
from bench.report.progress import Outline
from bench.report.report import Findings, Table
from bench.report.spread import Spread, over_frames, over_rounds
from bench.speed.window import frames_needed, watch

if TYPE_CHECKING:
    from collections.abc import Sequence

    from bench.harness.options import Options
    from bench.report.progress import Progress
    from bench.report.report import Cell
    from bench.speed.window import Window

_POINT, _CODEC = "layer3", "int8+zstd"
_SIDES = ("edge", "cloud")
_NETWORK = ("head", "tail")
_REST = "event loops, HTTP, results, metrics"
_ON_THE_WAY = "send, without the cloud's stages"


@dataclass(frozen=True)
class _Sample:
    """Both sides at one moment: CPU seconds since their start, and their metrics."""

    cpu_s: dict[str, float]
    metrics: dict[str, Metrics]

    def stages_cpu_s(self, side: str) -> dict[str, float]:
        """Empty where a side does not export it."""
        return self.metrics[side].by_label(f"splitdnn_{side}_stage_cpu_seconds_total", "stage")


def outline(options: Options) -> Outline:
    frames = options.effort.stage_windows * options.effort.stage_frames
    return Outline("stages", 2, 12 + frames / 10)


def measure(options: Options, progress: Progress) -> Findings:
    """One run, in several windows of frames; what a window's CPU time was is read at its ends."""
    effort = options.effort
    shape = {"warm": effort.warm_frames, "frames": effort.stage_frames, "windows": effort.stage_windows}
    progress.step("starting a cloud")
    with running_cloud(replace(options.setup, threads=1)) as cloud:
        engine = cloud.engine()
        setup = replace(options.setup, threads=1).like(cloud)
        progress.step(f"{effort.stage_windows} x {effort.stage_frames} frames")
        with Edge(setup, cloud.url, _POINT, _CODEC, frames_needed(**shape)) as edge:

            def sample() -> _Sample:
                return _Sample(
                    {"edge": proc.cpu_s(edge.pid), "cloud": proc.cpu_s(cloud.pid)},
                    {"edge": scrape(edge.url), "cloud": scrape(cloud.url)},
                )

            windows = watch(edge, sample, **shape, answered_by="cloud")
    wall = _wall_ms(windows)
    cpu = {(side, stage): values for side in _SIDES for stage, values in _cpu_ms(side, windows).items()}
    total = {side: _process_cpu_ms(side, windows) for side in _SIDES}
    tables = [
        Table("stages", f"Where the time goes at {_POINT}", _note(options), _rows(wall, cpu, total)),
        _event_loops(windows[-1].after),
    ]
    return Findings(engine, tables, [_figure(wall, cpu, total)])


def _note(options: Options) -> str:
    windows, frames = options.effort.stage_windows, options.effort.stage_frames
    return (
        f"{_CODEC}, one thread a process. Wall: median (quartiles) of {windows * frames} frames; `send` holds the cloud's "
        f"stages. CPU: per frame, median (min–max over {windows} windows of {frames} frames). `{_REST}` is a process's CPU "
        "less its stages' and holds this section's own scrapes, two of each side for a window. Overhead is the CPU of "
        "both processes less head and tail."
    )


def _wall_ms(windows: Sequence[Window[_Sample]]) -> dict[tuple[str, str], list[float]]:
    """By side and stage, of every frame."""
    found: dict[tuple[str, str], list[float]] = {}
    for window in windows:
        for record in window.records:
            stages: dict[str, float] = record["stages_ms"]
            for name, milliseconds in stages.items():
                side, stage = ("cloud", name[6:]) if name.startswith("cloud.") else ("edge", name)
                found.setdefault((side, stage), []).append(milliseconds)
            there = sum(ms for name, ms in stages.items() if name.startswith("cloud."))
            found.setdefault(("edge", _ON_THE_WAY), []).append(stages["send"] - there)
    return found


def _cpu_ms(side: str, windows: Sequence[Window[_Sample]]) -> dict[str, list[float]]:
    """By stage, per frame of each window."""
    found: dict[str, list[float]] = {}
    for window in windows:
        before, after = window.before.stages_cpu_s(side), window.after.stages_cpu_s(side)
        for stage, seconds in after.items():
            milliseconds = 1e3 * (seconds - before.get(stage, 0.0)) / len(window.records)
            found.setdefault(stage, []).append(milliseconds)
    return found


def _process_cpu_ms(side: str, windows: Sequence[Window[_Sample]]) -> list[float]:
    return [1e3 * (w.after.cpu_s[side] - w.before.cpu_s[side]) / len(w.records) for w in windows]


def _rows(
    wall: dict[tuple[str, str], list[float]],
    cpu: dict[tuple[str, str], list[float]],
    total: dict[str, list[float]],
) -> list[dict[str, Cell]]:
    rows: list[dict[str, Cell]] = []

    def add(side: str, stage: str, wall_ms: Sequence[float] | None, cpu_ms: Sequence[float] | None) -> None:
        rows.append(
            {
                "side": side,
                "stage": stage,
                "wall ms": over_frames(wall_ms) if wall_ms else None,
                "CPU ms/frame": over_rounds(cpu_ms) if cpu_ms else None,
            }
        )

    for side in _SIDES:
        names = dict.fromkeys(stage for where, stage in [*wall, *cpu] if where == side)
        for stage in names:
            computed = cpu.get((side, stage), [])
            if (side, stage) in wall or any(computed):  # a stage that never ran is not shown
                add(side, stage, wall.get((side, stage)), computed if any(computed) else None)
        if any(where == side for where, _ in cpu):
            add(side, _REST, None, _rest(side, cpu, total))
        add(side, "whole process", None, total[side])
    if cpu:
        add("both", "overhead: all but head and tail", None, _overhead(cpu, total))
    return rows


def _event_loops(sample: _Sample) -> Table:
    """One figure each, so without a spread; empty where a side does not export it."""

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
        "The longest time for which an event loop heard nobody, since its process takes frames, this section's scrapes "
        "included; and the most that one turn of it computed. By what a block is longer, its thread waited for a core."
    )
    return Table("event_loops", "Event loops", note, rows)


def _rest(side: str, cpu: dict[tuple[str, str], list[float]], total: dict[str, list[float]]) -> list[float]:
    """Of each window, what no stage of this side accounts for."""
    stages = [values for (where, _), values in cpu.items() if where == side]
    return [whole - sum(parts) for whole, *parts in zip(total[side], *stages, strict=True)]


def _overhead(cpu: dict[tuple[str, str], list[float]], total: dict[str, list[float]]) -> list[float]:
    """Of each window, the CPU of both processes less that of the network."""
    network = [values for (_, stage), values in cpu.items() if stage in _NETWORK]
    both = [sum(sides) for sides in zip(*total.values(), strict=True)]
    return [whole - sum(parts) for whole, *parts in zip(both, *network, strict=True)]


def _figure(
    wall: dict[tuple[str, str], list[float]],
    cpu: dict[tuple[str, str], list[float]],
    total: dict[str, list[float]],
) -> Figure:
    """Stacks of medians. `send` stands as the cloud's stages and the rest of it."""

    def median(values: Sequence[float] | None) -> float:
        spread: Spread | None = over_rounds(values) if values else None
        return max(0.0, spread.median) if spread else 0.0

    names = [key for key in dict.fromkeys([*wall, *cpu]) if key != ("edge", "send")]
    parts = {
        f"{side}: {stage}": [median(wall.get((side, stage))), median(cpu.get((side, stage)))]
        for side, stage in names
    }
    if cpu:
        parts["edge: send"] = [0.0, median(cpu.get(("edge", "send")))]
        for side in _SIDES:
            if any(where == side for where, _ in cpu):
                parts[f"{side}: {_REST}"] = [0.0, median(_rest(side, cpu, total))]
    else:
        parts |= {f"{side}: whole process": [0.0, median(total[side])] for side in _SIDES}
    shown = {name: values for name, values in parts.items() if any(values)}
    panel = Stacks("ms per frame (medians)", ["wall", "CPU"], shown)
    return Figure(
        "stages", f"Where each millisecond goes at {_POINT}, {_CODEC}, one thread a process", [panel]
    )
