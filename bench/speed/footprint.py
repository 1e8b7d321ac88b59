"""How long until the first answer, how much memory, and whether it grows."""

from __future__ import annotations

import tempfile
from dataclasses import replace
from typing import TYPE_CHECKING, NamedTuple

from bench.harness.process import Memory, memory
from bench.harness.system import Cloud, Edge, Setup, running_cloud
from bench.report.plots import Figure, Lines
from bench.report.progress import Outline, Progress
from bench.report.report import Cell, Findings, Table
from bench.report.spread import over_frames, over_rounds, several

if TYPE_CHECKING:
    from bench.speed.options import SpeedOptions

_POINT, _CODEC = "layer3", "int8+zstd"
_SETTLED = 200
"""Frames after which nothing is allocated for the first time."""
_SAMPLES = 40
_SIDES = ("edge", "cloud")
_SWITCHING_FRAMES = 300
_CAMERA = "synthetic:fps=10"
_NO_END = 1_000_000


class _Sample(NamedTuple):
    frames: int
    memory: dict[str, Memory]


def outline(options: SpeedOptions) -> Outline:
    starts = 2 * options.starts
    return Outline("footprint", starts + 2, 9 * starts + 50 + options.frames_growth / 20)


def measure(options: SpeedOptions, progress: Progress) -> Findings:
    """Starts with a cold and a warm cache in turn, then one long run."""
    starts: dict[str, list[tuple[float, float]]] = {"cold": [], "warm": []}
    for _ in range(options.starts):
        with tempfile.TemporaryDirectory(prefix="splitdnn-cache-") as cache:
            for kind, runs in starts.items():  # cold first: it fills the cache that is warm afterwards
                progress.step(f"{kind} start")
                runs.append(_start(options.setup, cache))
    progress.step(f"{options.frames_growth} frames")
    with running_cloud(options.setup) as cloud:
        engine = cloud.engine()
        alike = options.setup.like(cloud)
        samples = _play(alike, cloud, options.frames_growth)
        few = min(_SWITCHING_FRAMES, options.frames_growth)
        progress.step(f"{few} frames, pinned and with the planner")
        pinned = _play(alike, cloud, few)[-1]
        planned = _play(alike, cloud, few, "auto", None)[-1]
    start_note = (
        f"Seconds from the start of edge and cloud, both at the same moment, medians (min–max over {several(options.starts, 'start')}). "
        "Cold: an empty --cache-dir, which both fill; warm: the same folder again. The system's file cache is warm in both. "
        "The source is a synthetic camera of 10 frames/s; until the cloud is ready the edge answers by itself."
    )
    start_rows: list[dict[str, Cell]] = [
        {
            "cache": kind,
            "first answer s": over_rounds([first for first, _ in runs]),
            "first by the cloud s": over_rounds([by_cloud for _, by_cloud in runs]),
        }
        for kind, runs in starts.items()
    ]
    tables = [
        Table("start", "Start to first answer", start_note, start_rows),
        _memory(samples),
        _switching(pinned, planned),
    ]
    return Findings(engine, tables, [_figure(samples)])


def _start(setup: Setup, cache: str) -> tuple[float, float]:
    """Seconds from the start of edge and cloud to the first answer of either, and to the cloud's first. A camera, as a file's frames might all be answered before the cloud is ready."""
    first = 0.0
    camera = replace(setup, source=_CAMERA)
    with (
        Cloud([*setup.flags(), "--cache-dir", cache]) as cloud,
        Edge(camera, cloud.url, _POINT, _CODEC, _NO_END, "--cache-dir", cache) as edge,
    ):
        for record, arrived in edge.records():
            first = first or arrived
            if record["answered_by"] == "cloud":
                return first - cloud.started, arrived - cloud.started
        raise RuntimeError(f"the cloud never answered:\n{cloud.said()}")


def _play(
    setup: Setup, cloud: Cloud, frames: int, split_point: str = _POINT, codec: str | None = _CODEC
) -> list[_Sample]:
    """Memory of both sides, every so many frames and at the last one. A synthetic source: no clip is that long."""
    every = max(1, frames // _SAMPLES)
    source = f"synthetic:fps=0,frames={frames}"
    samples = []
    with Edge(replace(setup, source=source), cloud.url, split_point, codec, frames) as edge:
        pids = dict(zip(_SIDES, (edge.pid, cloud.pid), strict=True))
        for count, _ in enumerate(edge.records(), 1):
            if count % every == 0 or count in (_SETTLED, frames):
                samples.append(_Sample(count, {side: memory(pid) for side, pid in pids.items()}))
    return samples


def _memory(samples: list[_Sample]) -> Table:
    settled = [each for each in samples if each.frames >= _SETTLED] or samples[-1:]
    first, last = settled[0], settled[-1]
    rows: list[dict[str, Cell]] = []
    for side in _SIDES:
        found = [each.memory[side] for each in settled]
        before, after = first.memory[side].resident, last.memory[side].resident
        rows.append(
            {
                "side": side,
                "proportional": over_frames([each.proportional / 1e6 for each in found]),
                "resident": over_frames([each.resident / 1e6 for each in found]),
                "own": over_frames([each.own / 1e6 for each in found]),
                "files": over_frames([each.files / 1e6 for each in found]),
                "peak": round(found[-1].peak / 1e6, 1),
                f"resident at {first.frames}": round(before / 1e6, 1),
                f"resident at {last.frames}": round(after / 1e6, 1),
                "growth": round((after - before) / 1e6, 2),
            }
        )
    note = (
        f"One run of {last.frames} synthetic frames ({_CODEC}), in MB. Proportional (a page that "
        "n processes share counts as 1/n), resident, own (anonymous) and files (mapped): median "
        f"(quartiles) of the samples from frame {first.frames} on. Growth is from there to the last frame; the peak is since "
        "the start, so it holds the start-up."
    )
    return Table("memory", f"Memory at {_POINT}", note, rows)


def _switching(pinned: _Sample, planned: _Sample) -> Table:
    before, after = pinned.memory["edge"], planned.memory["edge"]
    row: dict[str, Cell] = {
        "frames": planned.frames,
        "pinned": round(before.resident / 1e6, 1),
        "planner": round(after.resident / 1e6, 1),
        "ratio": after.resident / before.resident,
        "pinned, own": round(before.own / 1e6, 1),
        "planner, own": round(after.own / 1e6, 1),
    }
    note = (
        f"The edge's memory in MB after as many frames, pinned to {_POINT} and with --split-point auto, one after the other "
        "against the same cloud. The planner's edge holds every split point, and has surveyed them if that was not done before."
    )
    return Table("switching", "Memory for being able to switch", note, [row])


def _figure(samples: list[_Sample]) -> Figure:
    series = {
        f"{side}: {name}": [
            (float(each.frames), over_rounds([getattr(each.memory[side], name) / 1e6])) for each in samples
        ]
        for side in _SIDES
        for name in ("resident", "own")
    }
    return Figure("memory", f"Memory over one run at {_POINT}", [Lines("frames", "MB", series)])
