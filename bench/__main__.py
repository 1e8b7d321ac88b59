"""`python -m bench`: what a run of the whole system costs, cut at different places, on this machine."""

from __future__ import annotations

import argparse
import statistics
import sys
from pathlib import Path
from typing import Any

from bench.json_contract import run_json
from bench.report import machine, markdown, write
from bench.system import run_edge, running_cloud

_ROOT = Path(__file__).resolve().parent.parent
_DATA = _ROOT.parent / "shared"
_PLANS = (
    ("input", "jpeg"),
    ("layer1", "int8+zstd"),
    ("layer2", "int8+zstd"),
    ("layer3", "int8+zstd"),
    ("layer4", "int8+zstd"),
    ("avgpool", "int8+zstd"),
)
_JSON_POINTS = [split_point for split_point, _ in _PLANS]


def main() -> int:
    """Measure, print, write bench/results/."""
    parser = argparse.ArgumentParser(prog="python -m bench", description=__doc__)
    parser.add_argument(
        "--frames", type=int, default=300, help="frames per split point (default: %(default)s)"
    )
    parser.add_argument(
        "--json-frames", type=int, default=20, help="frames through JSON (default: %(default)s)"
    )
    parser.add_argument("--quick", action="store_true", help="a few frames each: does it work?")
    parser.add_argument("--weights", default=_first(_DATA / "weights" / "resnet50.pth", "random"))
    parser.add_argument(
        "--source", default=_first(_DATA / "videos" / "car-detection.mp4", "synthetic:fps=0,frames=300")
    )
    arguments = parser.parse_args()
    frames, json_frames = (12, 2) if arguments.quick else (arguments.frames, arguments.json_frames)
    about = machine(arguments.weights, arguments.source)
    print(f"{about}\nsplit_points: {frames} frames each; edge and cloud share these cores", flush=True)
    rows = []
    for number, (split_point, codec) in enumerate(_PLANS, 1):
        print(f"[{number}/{len(_PLANS) + 1}] {split_point} {codec}", file=sys.stderr, flush=True)
        rows.append(_measure(arguments.weights, arguments.source, frames, split_point, codec))
    print(markdown(rows))
    print(f"[{len(_PLANS) + 1}/{len(_PLANS) + 1}] JSON", file=sys.stderr, flush=True)
    with running_cloud(arguments.weights) as cloud:
        json_rows = run_json(cloud, arguments.weights, arguments.source, json_frames, _JSON_POINTS)
    print(f"\njson_contract: {json_frames} frames each, one after another\n{markdown(json_rows)}")
    folder = _ROOT / "bench" / "results"
    write(folder, "split_points", rows, about)
    write(folder, "json_contract", json_rows, about)
    print(f"\nwritten to {folder.relative_to(_ROOT)}/")
    return 0


def _measure(weights: str, source: str, frames: int, split_point: str, codec: str) -> dict[str, Any]:
    with running_cloud(weights) as cloud:
        run = run_edge(cloud, weights, source, frames, split_point, codec)
        cloud_rss = cloud.rss_bytes()
    latencies = [record["latency_ms"] for record in run.records]
    quantiles = statistics.quantiles(latencies, n=20, method="inclusive")

    def median_stage(*names: str) -> float:
        return round(
            statistics.median(sum(record["stages_ms"].get(n, 0.0) for n in names) for record in run.records),
            1,
        )

    return {
        "split point": split_point,
        "codec": codec,
        "frames": len(run.records),
        "frames/s": run.frames_per_s,
        "bytes/frame": round(statistics.mean(record["payload_bytes"] for record in run.records)),
        "latency p50 ms": round(quantiles[9], 1),
        "latency p95 ms": round(quantiles[18], 1),
        "waiting p50 ms": median_stage("wait_head", "wait_uplink"),
        "head p50 ms": median_stage("head"),
        "tail p50 ms": median_stage("cloud.tail"),
        "edge RSS MB": round(run.rss_bytes / 1e6),
        "cloud RSS MB": round(cloud_rss / 1e6),
    }


def _first(path: Path, otherwise: str) -> str:
    return str(path) if path.is_file() else otherwise


if __name__ == "__main__":
    sys.exit(main())
