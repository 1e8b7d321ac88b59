"""One load on one of several clouds that stand side by side."""

from __future__ import annotations

import contextlib
import resource
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.harness.process import busy_s, family_cpu_s
from bench.harness.system import Cloud, Setup
from bench.load.command import run_load
from bench.load.generator import Load
from bench.load.scale.model import One

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from bench.load.result import LoadResult
    from bench.load.scale.options import ScaleOptions, Shape

_WARM_S = 0.4
_START_S = 60.0
_PREFIX = "splitdnn_cloud_"


@dataclass(frozen=True)
class Measured:
    """What one load has shown."""

    result: LoadResult
    seconds: float
    """Measured."""
    one: One
    """Frames/s, and what a frame took of tails and processors, warm-up included."""
    elsewhere: float
    """Cores that others had meanwhile: other processes, and other guests of this machine's host."""


@contextlib.contextmanager
def clouds(options: ScaleOptions) -> Iterator[dict[Shape, Cloud]]:
    """All of them, started one after another, and ready: one that nobody asks takes no processor time."""
    with contextlib.ExitStack() as stack:
        found: dict[Shape, Cloud] = {}
        setup = Setup(options.weights, "", model=options.model)
        for shape in options.shapes:
            flags = [
                *setup.flags(),
                f"--split-point={options.split_point}",
                *shape.flags(max(options.clients)),
            ]
            cloud = found[shape] = stack.enter_context(Cloud(flags))
            cloud.wait_until_ready()
            setup = setup.like(cloud)  # or they might choose otherwise
        for shape, cloud in found.items():
            _all_ready(cloud, shape)
        yield found


def measure(point: str, frames: Path, cloud: Cloud, clients: int, seconds: float) -> Measured:
    """A closed loop of so many clients. Raises RuntimeError if nothing was answered."""
    start, before = _machine_s(), _counts(cloud)
    result = run_load(cloud.url, frames, [point], Load(clients, seconds, warm_s=_WARM_S))
    count, runs, tails_s, cpu_s = (
        after - earlier for after, earlier in zip(_counts(cloud), before, strict=True)
    )
    took_s, all_s, own_s = (after - earlier for after, earlier in zip(_machine_s(), start, strict=True))
    # Each frame of a batch notes the time of the batch's run, which is one.
    tail_s = tails_s / count * (runs / count)
    load_s = result.own_cpu / result.throughput_per_s
    one = One(result.throughput_per_s, tail_s, cpu_s / count, load_s)
    return Measured(result, seconds, one, max(0.0, all_s - own_s - cpu_s) / took_s)


def _counts(cloud: Cloud) -> tuple[float, float, float, float]:
    """Frames, runs of tails, the frames' seconds in tails, processor seconds; all since the start."""
    metrics = cloud.metrics()

    def value(name: str, **labels: str) -> float:
        return metrics.value(_PREFIX + name, **labels) or 0.0

    return (
        value("batch_size_sum"),
        value("batch_size_count"),
        value("stage_duration_seconds_sum", stage="tail"),
        family_cpu_s(cloud.pid),
    )


def _machine_s() -> tuple[float, float, float]:
    """The time, what all processors have worked, and what this process and those that it has waited for have, in seconds."""
    own = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return time.monotonic(), busy_s(), sum(each.ru_utime + each.ru_stime for each in own)


def _all_ready(cloud: Cloud, shape: Shape) -> None:
    """Several workers take their port one after another."""
    if shape.workers == 1:
        return
    deadline = time.monotonic() + _START_S
    while cloud.metrics().value(f"{_PREFIX}workers", which="ready") != shape.workers:
        if time.monotonic() > deadline:
            raise RuntimeError(
                f"{shape.workers} workers are not ready within {_START_S:g} s:\n{cloud.said()}"
            )
        time.sleep(0.05)
