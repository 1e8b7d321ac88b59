"""The original way of a tensor: nested lists in JSON, one request after another."""

from __future__ import annotations

import json
import os
import statistics
import time
import urllib.request
from typing import TYPE_CHECKING, Any

from bench.system import peak_rss_bytes
from shared.threads import limit_threads

if TYPE_CHECKING:
    from bench.system import Cloud


def run_json(
    cloud: Cloud, weights: str, source: str, frames: int, split_points: list[str]
) -> list[dict[str, Any]]:
    """One row per split point: frames/s, bytes and latency of `frames` frames, head included."""
    # Only here: torch reads the thread settings when it is imported.
    limit_threads(0)
    from edge.preprocess import Preprocess
    from edge.sources import open_source
    from shared.engines import TorchEngine
    from shared.models import load_model
    from shared.partition import Partition

    model = load_model("resnet50", weights)
    partition = Partition(model.network, model.preprocessing.tensor_shape)
    preprocess = Preprocess(model.preprocessing)
    rows = []
    for name in split_points:
        head = TorchEngine().compile(partition.head(partition.point(name)), model.preprocessing.tensor_shape)
        reader = open_source(source, open_timeout_s=10, read_timeout_s=10)
        reader.open()
        latencies, sizes = [], []
        start = time.perf_counter()
        for count in range(frames):
            picture = reader.read()
            assert picture is not None, "the source is too short"
            began = time.perf_counter()
            crossing = head(model.preprocessing.normalise(preprocess(picture))[None])
            body = json.dumps({"data": crossing.tolist(), "count": count, "split_point": name}).encode()
            request = urllib.request.Request(f"{cloud.url}/model", body, {"Content-Type": "application/json"})
            with urllib.request.urlopen(request, timeout=120) as response:
                json.load(response)
            latencies.append(1e3 * (time.perf_counter() - began))
            sizes.append(len(body))
        rate = frames / (time.perf_counter() - start)
        reader.close()
        quantiles = statistics.quantiles(latencies, n=20, method="inclusive")
        rows.append(
            {
                "split point": name,
                "codec": "JSON",
                "frames": frames,
                "frames/s": round(rate, 2),
                "bytes/frame": round(statistics.mean(sizes)),
                "latency p50 ms": round(quantiles[9], 1),
                "latency p95 ms": round(quantiles[18], 1),
                "client RSS MB": round(peak_rss_bytes(os.getpid()) / 1e6),
                "cloud RSS MB": round(cloud.rss_bytes() / 1e6),
            }
        )
    return rows
