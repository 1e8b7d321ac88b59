"""One run of one contender: edge and cloud started together, then an edge beside a cloud that is at work already."""

from __future__ import annotations

from typing import TYPE_CHECKING

from bench.harness.process import family_memory
from bench.harness.system import Cloud, Edge, Setup
from bench.speed.window import frames_needed, watch

if TYPE_CHECKING:
    from collections.abc import Iterator
    from typing import Any

    from bench.harness.contender import Contender
    from bench.start.options import StartOptions

_CAMERA = "synthetic:fps=10"
_NO_END = 1_000_000

Measured = dict[str, float]
"""The results of one run, by name."""

EDGE_START = "edge: start to first answer, s"
EDGE_MEMORY = "edge: proportional set size, MB"
CLOUD_MEMORY = "cloud: proportional set size, MB"
FRAMES = "frames/s"


def run(options: StartOptions, contender: Contender, cache: str) -> Measured:
    """Start, measure and end both processes. Raises RuntimeError with what a process said that failed."""
    flags = [*contender.flags, f"--cache-dir={cache}"]
    with Cloud(flags, checkout=contender.checkout) as cloud:
        together = _together(options, contender, cloud, flags)
        alone = _beside(options, contender, cloud, flags)
    return {**alone, **together}


def _together(options: StartOptions, contender: Contender, cloud: Cloud, flags: list[str]) -> Measured:
    """Seconds from the start of both. A camera, as a file's frames might all be answered before the cloud is ready."""
    first = 0.0
    with _edge(options, contender, cloud, flags, _CAMERA, _NO_END) as edge:
        for record, arrived in edge.records():
            first = first or arrived
            if record["answered_by"] == "cloud":
                return {
                    "both at once: first answer, s": first - cloud.started,
                    "both at once: first by the cloud, s": arrived - cloud.started,
                }
        raise RuntimeError(f"the cloud never answered:\n{cloud.said()}")


def _beside(options: StartOptions, contender: Contender, cloud: Cloud, flags: list[str]) -> Measured:
    """An edge's own start, then frames as fast as they are answered. Memory is measured while they are under way."""
    cloud.wait_until_ready()
    count = frames_needed(warm=options.warm_frames, frames=options.frames)
    source = f"synthetic:fps=0,frames={count}"
    with _edge(options, contender, cloud, flags, source, count) as edge:
        first = _First(edge)
        [window] = watch(
            first,
            lambda: (family_memory(edge.pid), family_memory(cloud.pid)),
            warm=options.warm_frames,
            frames=options.frames,
            answered_by="cloud",
        )
    (edge_shared, edge_resident), (cloud_shared, cloud_resident) = window.after
    return {
        EDGE_START: first.arrived - edge.started,
        EDGE_MEMORY: edge_shared / 1e6,
        CLOUD_MEMORY: cloud_shared / 1e6,
        FRAMES: window.frames_per_s,
        "edge: resident, MB": edge_resident / 1e6,
        "cloud: resident, MB": cloud_resident / 1e6,
    }


def _edge(
    options: StartOptions,
    contender: Contender,
    cloud: Cloud,
    flags: list[str],
    source: str,
    frames: int,
) -> Edge:
    # The other checkout takes the model and weights as flags, so `Setup` brings only the source.
    return Edge(
        Setup(None, source), cloud.url, options.split_point, options.codec, frames, *flags,
        checkout=contender.checkout,
    )  # fmt: skip


class _First:
    """An edge whose first record's arrival is kept."""

    def __init__(self, edge: Edge) -> None:
        self._edge = edge
        self.arrived = 0.0
        self.said = edge.said

    def records(self) -> Iterator[tuple[dict[str, Any], float]]:
        for record, arrived in self._edge.records():
            self.arrived = self.arrived or arrived
            yield record, arrived
