"""What one worker of a cloud shows on the page: its part of the whole, as JSON."""

from __future__ import annotations

import json
from functools import lru_cache
from statistics import median
from typing import TYPE_CHECKING, Any

from cloud.metrics import NETWORK_CHANGES, REJECTIONS, STEPS, TRANSFERS
from shared.network.partition import INPUT
from shared.observing.telemetry import BATCH_BUCKETS
from shared.process.trimming import resident_bytes

if TYPE_CHECKING:
    from collections.abc import Iterable

    from cloud.networks.network import LoadedNetwork
    from cloud.networks.usage import Runs
    from cloud.service import Service
    from shared.observing.counting.counter import Counter

Part = dict[str, Any]

_OF_PROFILE = ("name", "split_point", "shape", "bytes", "held_bytes", "decode_ms")


def part_of(service: Service, since: int = 0) -> Part:
    """What this worker has and has done, with the seconds from `since` on. On the event loop, which it takes half a millisecond."""
    metrics, recent = service.metrics, service.recent
    started = service.lifecycle.has_network
    runs, frames = metrics.batch_size.labels().state()
    return {
        "state": service.lifecycle.state,
        "uptime_s": recent.uptime_s(),
        "memory_bytes": resident_bytes(),
        "rows": recent.rows(since),
        "clients": recent.clients(),
        "queue": {
            "depth": service.batcher.depth if started else 0,
            "capacity": service.settings.queue_capacity,
            "under_way": service.lifecycle.frames,
            "buffered_bytes": service.buffered_bytes,
            "connections": len(service.crowd),
        },
        "batches": {
            "bounds": list(BATCH_BUCKETS),
            "runs": runs,
            "frames": int(frames),
            "most": service.settings.max_batch,
        },
        "steps": {step: _timed(service, step) for step in STEPS},
        "refused": _counted(metrics.rejected, REJECTIONS),
        "networks": [_network(service, each) for each in reversed([*service.networks])] if started else [],
        "network_changes": _counted(metrics.network_changes, NETWORK_CHANGES),
        "profiles": _profiles(service.profiles.listing()),
        "bundles": {
            "served": service.settings.serve_bundle,
            "under_way": len(service.transfers),
            "sent": _counted(metrics.bundle_transfers, TRANSFERS),
        },
    }


def _counted(counter: Counter, values: Iterable[str]) -> dict[str, int]:
    """What was counted at all, by the values of the only label."""
    found = {value: int(counter.labels(value).value()) for value in values}
    return {value: count for value, count in found.items() if count}


def _timed(service: Service, step: str) -> list[float]:
    """How many frames had this step, and the seconds of all of them."""
    counts, seconds = service.metrics.steps.labels(stage=step).state()
    return [sum(counts), seconds]


def _network(service: Service, network: LoadedNetwork) -> Part:
    model, current = network.model, network is service.network
    times = service.networks.tail_times(network).known
    alone_ms = {name: row[0] for name, row in times["tails_ms"].items()} if times else {}
    runs = network.usage.runs
    usual = {INPUT, network.default.name, *(point.name for point in network.ends())}
    return {
        "name": model.name,
        "weights": model.weights,
        "fingerprint": model.fingerprint.hex(),
        "task": model.task.name,
        "classes": len(model.labels),
        "engine": network.engine.name,
        "precision": network.engine.precision,
        "device": network.engine.device,
        "current": current,
        "idle_s": round(network.usage.idle_s(), 1),
        "bundle_bytes": sum(entry.bytes for entry in network.network.bundle.manifest.files.values()),
        "tails": [
            {
                "split_point": name,
                "ready": network.tails.is_ready(name),
                "default": name == network.default.name,
                "alone_ms": alone_ms.get(name),
                **_ran(runs.get(name)),
            }
            for name in network.partition.points
            if name in usual or name in runs
        ],
    }


def _ran(runs: Runs | None) -> Part:
    """The frames at one split point, and how long the tail took them lately, in milliseconds."""
    if runs is None:
        return {"frames": 0, "lately_ms": None}
    return {"frames": runs.frames, "lately_ms": round(1e3 * median(runs.latest_s), 3)}


@lru_cache(maxsize=1)
def _profiles(listing: bytes) -> list[Part]:
    """The profiles in what `GET /profiles` says, without what their edges have written about them."""
    found = json.loads(listing)["profiles"]
    return [{name: each[name] for name in _OF_PROFILE} for each in found]
