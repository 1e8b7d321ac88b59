"""One run of an edge with so many open pages."""

from __future__ import annotations

import contextlib
import statistics
import time
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.cameras.page.viewers import Viewers
from bench.harness.process import cpu_s
from bench.harness.system import Edge

if TYPE_CHECKING:
    from bench.cameras.page.options import PageOptions

_NO_END = 1_000_000


@dataclass(frozen=True)
class Measured:
    """What one run gave."""

    core: float
    """Share of a core that the edge took, 1 is all of it."""
    latency_ms: float
    """Median, from capture to answer."""
    late_ms: float
    """The same of the slowest twentieth's best."""
    missing: int
    """Frames that were dropped."""
    pictures: int
    """That the pages got, all together."""
    gone: int
    """Pictures that were announced to a page, and were kept no longer when it asked."""


def run(options: PageOptions, viewers: int, cloud_url: str | None, cache: str) -> Measured:
    """Raises RuntimeError with what the edge said if it failed."""
    point, codec = ("output", None) if options.output_only else (options.split_point, options.codec)
    flags = ("--cache-dir", cache, "--page-pictures")
    with contextlib.ExitStack() as ends:
        edge = ends.enter_context(Edge(options.setup, cloud_url, point, codec, _NO_END, *flags))
        latencies: list[float] = []
        seen: Viewers | None = None
        begin = spent_s = 0.0
        first = last = 0
        for number, (record, _) in enumerate(edge.records(), 1):
            if number == 1 and viewers:
                seen = ends.enter_context(Viewers(edge.url, viewers, [record["camera"]]))
            if number == options.warm_frames:
                begin, spent_s, first = time.monotonic(), cpu_s(edge.pid), record["frame"]
            elif number > options.warm_frames:
                latencies.append(record["latency_ms"])
                last = record["frame"]
            if len(latencies) == options.frames:
                core = (cpu_s(edge.pid) - spent_s) / (time.monotonic() - begin)
                pictures, gone = (seen.seen["pictures"], seen.seen["gone"]) if seen else (0, 0)
                missing = last - first - options.frames
                late_ms = statistics.quantiles(latencies, n=20)[-1]
                return Measured(core, statistics.median(latencies), late_ms, missing, pictures, gone)
        raise RuntimeError(f"the source gives too few frames:\n{edge.said()}")
