"""A cloud under the load generator, and what the tables say of it."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.harness.scrape import scrape
from bench.load.command import run_load
from bench.load.generator import Load
from bench.report.spread import Spread, over_rounds

if TYPE_CHECKING:
    from collections.abc import Mapping, Sequence
    from pathlib import Path

    from bench.harness.system import Cloud
    from bench.load.result import LoadResult
    from bench.report.report import Cell


@dataclass(frozen=True)
class Measured:
    """One run of the generator and the cloud's mean batch meanwhile."""

    result: LoadResult
    batch: float


def warm_up(cloud: Cloud, frames: Path, points: Sequence[str]) -> None:
    """Tails are compiled at first use, some for each size of a batch."""
    with contextlib.suppress(RuntimeError):  # within a second there may be no answer yet
        run_load(cloud.url, frames, points, Load(16, 1.0, warm_s=0.0))


def run_measured(cloud: Cloud, frames: Path, points: Sequence[str], load: Load) -> Measured:
    """One run of the generator. The mean batch is over the whole of it, its warming up included."""
    before = _batches(cloud)
    result = run_load(cloud.url, frames, points, load)
    after = _batches(cloud)
    tensors, batches = (late - early for late, early in zip(after, before, strict=True))
    return Measured(result, tensors / batches if batches else 0.0)


def columns(runs: Sequence[Measured]) -> dict[str, Cell]:
    """What every table of this section says of its runs."""
    results = [run.result for run in runs]
    return {
        "answered/s": over_rounds([each.throughput_per_s for each in results]),
        "p50 ms": over_rounds([each.p50_ms for each in results]),
        "p99 ms": over_rounds([each.p99_ms for each in results]),
        "p99/p50": over_rounds([each.p99_ms / each.p50_ms for each in results]),
        "slowest/fastest client": over_rounds(
            [each.slowest / each.fastest if each.fastest else 0.0 for each in results]
        ),
        "mean batch": over_rounds([run.batch for run in runs]),
        "503": sum(each.busy for each in results),
        "504": sum(each.late for each in results),
        "other errors": sum(each.refused + each.failed for each in results),
        "unanswered": sum(each.unanswered for each in results),
        "requests": sum(each.answered for each in results),
        "generator CPU, of a core": over_rounds([each.own_cpu for each in results]),
    }


def curve(runs: Mapping[int, Sequence[Measured]], field: str) -> list[tuple[float, Spread]]:
    """A field of `LoadResult` against the number that the runs are filed under."""
    return [(float(x), over_rounds([getattr(run.result, field) for run in each])) for x, each in runs.items()]


def _batches(cloud: Cloud) -> tuple[float, float]:
    """Tensors and batches since the cloud's start."""
    metrics = scrape(cloud.url)
    name = "splitdnn_cloud_batch_size"
    return metrics.value(f"{name}_sum") or 0.0, metrics.value(f"{name}_count") or 0.0
