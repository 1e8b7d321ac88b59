"""What both sides export alike: a registry of their own, the process, the stages, the encoded sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Histogram, disable_created_metrics
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from shared.codecs import NAMES
from shared.telemetry import BYTES_BUCKETS, DURATION_BUCKETS

if TYPE_CHECKING:
    from collections.abc import Sequence


class Metrics:
    """Base of a side's metrics. Every label value is there from the start, at zero."""

    def __init__(self, prefix: str, stages: Sequence[str]) -> None:
        """`prefix` is `splitdnn_cloud_` or `splitdnn_edge_`."""
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self.stages = Histogram(
            prefix + "stage_duration_seconds",
            "Time of one frame in one stage.",
            ["stage"],
            buckets=DURATION_BUCKETS,
            registry=self.registry,
        )
        self.payload_bytes = Histogram(
            prefix + "payload_bytes",
            "Encoded size of one tensor.",
            ["codec"],
            buckets=BYTES_BUCKETS,
            registry=self.registry,
        )
        for stage in stages:
            self.stages.labels(stage=stage)
        for codec in NAMES:
            self.payload_bytes.labels(codec=codec)
