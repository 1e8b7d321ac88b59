"""One load on one of the clouds that stand side by side."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.harness.process import family_cpu_s
from bench.harness.system import Cloud
from bench.load.command import run_load
from bench.load.generator import Load

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence
    from pathlib import Path

    from bench.load.mixed.options import MixedOptions
    from bench.load.result import LoadResult

_PREFIX = "splitdnn_cloud_"


@dataclass(frozen=True)
class Trial:
    """What one load has shown."""

    result: LoadResult
    cpu_ms: float
    """What the cloud took for each frame; warm-up included."""
    batch: float
    """Frames in one run of a tail, on average; those that joined on the way count in each."""


@contextlib.contextmanager
def clouds(options: MixedOptions, frames: Path) -> Iterator[dict[str, Cloud]]:
    """All of them, ready, with the tails compiled that will be asked for: one that nobody asks takes no processor time."""
    with contextlib.ExitStack() as stack:
        found: dict[str, Cloud] = {}
        for each in options.contenders():
            found[each.name] = stack.enter_context(Cloud(each.flags, checkout=each.checkout))
        for cloud in found.values():
            cloud.wait_until_ready()
            for mix in options.mixes:  # an engine makes kernels for every number of frames that it meets
                run_load(cloud.url, frames, mix, Load(max(options.clients), options.warm_up, warm_s=0.0))
        yield found


def measure(cloud: Cloud, frames: Path, mix: Sequence[str], clients: int, options: MixedOptions) -> Trial:
    """A closed loop. Raises RuntimeError if nothing was answered."""
    before = _counts(cloud)
    load = Load(clients, options.seconds, warm_s=options.warm)
    result = run_load(cloud.url, frames, mix, load, own_addresses=options.own_addresses)
    count, runs, cpu_s = (after - earlier for after, earlier in zip(_counts(cloud), before, strict=True))
    return Trial(result, 1e3 * cpu_s / count, count / runs)


def _counts(cloud: Cloud) -> tuple[float, float, float]:
    """Frames, runs of tails, processor seconds; all since the start."""
    metrics = cloud.metrics()
    return (
        metrics.value(f"{_PREFIX}queue_wait_seconds_count") or 0.0,
        metrics.value(f"{_PREFIX}batch_size_count") or 0.0,
        family_cpu_s(cloud.pid),
    )
