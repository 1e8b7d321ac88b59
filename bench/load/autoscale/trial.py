"""One cloud on this machine, as a pod is: how soon it takes frames, how many it answers, and how its queue stands at shares of that."""

from __future__ import annotations

import contextlib
import resource
import tempfile
import time
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from bench.harness.frames import build_frames
from bench.harness.process import busy_s, family_cpu_s, family_memory
from bench.harness.system import Cloud, Setup
from bench.load.command import run_load
from bench.load.generator import Load
from shared.process.settings import CommonSettings

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    from bench.load.autoscale.options import AutoscaleOptions
    from bench.load.result import LoadResult

_PREFIX = "splitdnn_cloud_"
_WARM_S = 1.0
_FRAMES = 8
_ONE, _MOST = 1, 16
"""Clients, each with one frame under way, that find out how long a run takes of one frame and of many."""
_CLIENTS = 40
"""How many there are in the other loads: each sends at its own time, as cameras do."""


@dataclass(frozen=True)
class Start:
    """One start of a cloud, in seconds from its process to its readiness, and its resident and proportional bytes then."""

    ready_s: float
    proportional: int


@dataclass(frozen=True)
class Measured:
    """What one load has shown, its warm-up included but for the rates and latencies."""

    load: Load
    offered_per_s: float
    """In the closed loop what was answered."""
    result: LoadResult
    queue: float
    """Frames waiting for their tail, on average: by Little's law frames/s times the seconds that each waited."""
    size: float
    """Frames in a run of a tail, on average."""
    run_s: float
    """A run, on average over the frames in it."""
    busy: float
    """Runs of tails at once, on average."""
    cores: float
    """Processor seconds of the cloud a second."""
    elsewhere: float
    """Cores that others had meanwhile."""
    proportional: int
    """Bytes of the cloud at the end."""


def measured(options: AutoscaleOptions) -> Iterator[tuple[str, Start | Measured]]:
    """Starts with an empty cache and with a filled one, then a closed loop and open loops at `options.shares` of it.

    Raises RuntimeError.
    """
    setup = Setup(options.weights, "", threads=options.threads, model=options.model)
    with tempfile.TemporaryDirectory(prefix="splitdnn-autoscale-") as folder:
        frames, cache = Path(folder) / "frames", f"{folder}/cache"
        frames.mkdir()
        build_frames(frames, options.setup, [options.split_point], _FRAMES, model=options.model)
        flags = [*setup.flags(), f"--split-point={options.split_point}", "--client-frames=512"]
        with _started(flags):  # which leaves the bundle where the others find it
            pass
        flags += [f"--bundles-dir={CommonSettings.model_fields['cache_dir'].default}", f"--cache-dir={cache}"]
        with _started(flags) as (_, start):
            yield "start, with an empty cache", start
        with _started(flags) as (cloud, start):
            yield "start, with a filled cache", start
            for clients in (_ONE, _MOST):
                most = _loaded(
                    cloud, frames, [options.split_point], Load(clients, options.load_s, warm_s=_WARM_S)
                )
                yield f"closed loop, clients: {clients}", most
            for share in options.shares:
                rate = share * most.result.throughput_per_s
                load = Load(_CLIENTS, options.load_s, rate / _CLIENTS, warm_s=_WARM_S, timeout_s=5, drain_s=2)
                yield f"{share:g} of that", _loaded(cloud, frames, [options.split_point], load)


@contextlib.contextmanager
def _started(flags: Sequence[str]) -> Iterator[tuple[Cloud, Start]]:
    began = time.monotonic()
    with Cloud(flags) as cloud:
        cloud.wait_until_ready()
        yield cloud, Start(time.monotonic() - began, family_memory(cloud.pid)[0])


def _loaded(cloud: Cloud, frames: Path, points: Sequence[str], load: Load) -> Measured:
    before, machine = _counts(cloud), _machine_s()
    result = run_load(cloud.url, frames, points, load)
    waited, count, runs, tails_s, cpu_s = (
        after - earlier for after, earlier in zip(_counts(cloud), before, strict=True)
    )
    took_s, all_s, own_s = (after - earlier for after, earlier in zip(_machine_s(), machine, strict=True))
    frames_per_s = result.throughput_per_s
    size, run_s = count / runs, tails_s / count
    # Every frame of a batch notes the time of the batch's run, which is one.
    return Measured(
        load, result.offered_per_s or frames_per_s, result, frames_per_s * waited / count, size, run_s,
        frames_per_s * run_s / size, frames_per_s * cpu_s / count,
        max(0.0, all_s - own_s - cpu_s) / took_s, family_memory(cloud.pid)[0],
    )  # fmt: skip


def _counts(cloud: Cloud) -> tuple[float, float, float, float, float]:
    """Seconds that frames have waited for their tail, frames, runs, the frames' seconds in tails, processor seconds; since the start."""
    metrics = cloud.metrics()

    def value(name: str, **labels: str) -> float:
        return metrics.value(_PREFIX + name, **labels) or 0.0

    return (
        value("queue_wait_seconds_sum"),
        value("batch_size_sum"),
        value("batch_size_count"),
        value("stage_duration_seconds_sum", stage="tail"),
        family_cpu_s(cloud.pid),
    )


def _machine_s() -> tuple[float, float, float]:
    """The time, what all processors have worked, and what this process and those that it has waited for have, in seconds."""
    own = [resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN)]
    return time.monotonic(), busy_s(), sum(each.ru_utime + each.ru_stime for each in own)
