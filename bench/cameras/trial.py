"""One run of an edge with so many cameras."""

from __future__ import annotations

from collections import Counter
from dataclasses import dataclass
from typing import TYPE_CHECKING

from bench.harness.process import cpu_s, family_memory
from bench.harness.system import Edge

if TYPE_CHECKING:
    from pathlib import Path

    from bench.cameras.options import CamerasOptions

_NO_END = 1_000_000


@dataclass(frozen=True)
class Measured:
    """What one run gave."""

    proportional: int
    """Bytes, while frames are under way."""
    frames_per_s: float
    """All cameras together."""
    fairness: float
    """Frames of the slowest camera over those of the fastest, 0 … 1."""
    cpu_ms: float
    """Processor time of the edge for one frame: what is left of frames/s where others use the machine."""


def run(options: CamerasOptions, cameras: int, cloud_url: str | None, folder: Path, cache: str) -> Measured:
    """Play the clip on so many cameras. Raises RuntimeError with what the edge said if it failed, or if a clip was too short."""
    file = folder / f"cameras-{cameras}.toml"
    tables = [
        f'[[camera]]\nname = "camera-{number}"\nsource = "{options.source}"\n' for number in range(cameras)
    ]
    file.write_text("\n".join(tables), encoding="utf-8")
    point, codec = ("output", None) if options.output_only else (options.split_point, options.codec)
    flags = ("--cameras", str(file), "--cache-dir", cache)
    # As many of each: another part of the clip is another amount of work.
    warm, frames = cameras * options.warm_frames, cameras * options.frames
    counts: Counter[str] = Counter()
    begin = spent_s = 0.0
    with Edge(options.setup, cloud_url, point, codec, _NO_END, *flags) as edge:
        for number, (record, arrived) in enumerate(edge.records(), 1):
            if number == warm:
                begin, spent_s = arrived, cpu_s(edge.pid)
            elif number > warm:
                counts[record["camera"]] += 1
            if counts.total() == frames:
                memory, _ = family_memory(edge.pid)
                fairness = min(counts.values()) / max(counts.values()) if len(counts) == cameras else 0.0
                cpu_ms = 1e3 * (cpu_s(edge.pid) - spent_s) / counts.total()
                return Measured(memory, counts.total() / (arrived - begin), fairness, cpu_ms)
        raise RuntimeError(f"the source gives too few frames:\n{edge.said()}")
