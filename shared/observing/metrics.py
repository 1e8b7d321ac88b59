"""The metrics that both sides export: the process, its event loop, the steps of a frame, the encoded sizes."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import CollectorRegistry, Gauge, disable_created_metrics
from prometheus_client.platform_collector import PlatformCollector
from prometheus_client.process_collector import ProcessCollector

from shared.codecs import known_codecs
from shared.observing.counting.counter import Counter
from shared.observing.counting.histogram import Histogram
from shared.observing.telemetry import BYTES_BUCKETS, DURATION_BUCKETS
from shared.security.tls.handshakes import RESULTS
from shared.security.tls.renewal import RENEWALS

if TYPE_CHECKING:
    from collections.abc import Sequence

# Turns of an event loop: most take less than half a millisecond, and none should take 5 ms.
TURN_BUCKETS = (0.0005, 0.001, 0.002, 0.005, 0.01, 0.02, 0.05, 0.1, 0.2, 0.5, 1)


class Metrics:
    """Base of a side's metrics, in a registry of its own. Every label value exists from the start, at zero."""

    def __init__(self, prefix: str, steps: Sequence[str], certificates: Sequence[str]) -> None:
        """`prefix`: `splitdnn_cloud_` or `splitdnn_edge_`. `steps`: the values of the label `stage`. `certificates`: what this side
        may have one for.
        """
        disable_created_metrics()  # type: ignore[no-untyped-call]
        self.registry = CollectorRegistry()
        ProcessCollector(registry=self.registry)
        PlatformCollector(registry=self.registry)
        self.steps = Histogram(
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
        self.step_cpu = Counter(
            prefix + "stage_cpu_seconds_total",
            "Processor time of the thread that runs the stage, without an engine's own further threads.",
            ["stage"],
            registry=self.registry,
        )
        self.engine_failed_checks = Counter(
            prefix + "engine_failed_checks_total",
            "Halves of the network that torch runs, as the chosen engine's gave other numbers or did not compile.",
            registry=self.registry,
        )
        self.handshakes = Counter(
            prefix + "handshakes_total",
            "TLS handshakes with clients of this side's port, by how they ended.",
            ["result"],
            registry=self.registry,
        )
        self.certificate_renewals = Counter(
            prefix + "certificate_renewals_total",
            "Changes of a certificate's files, or of the CAs': taken for later connections, or failed (nothing changes).",
            ["certificate", "result"],
            registry=self.registry,
        )
        self.certificate_expiry = Gauge(
            prefix + "certificate_expiry_timestamp_seconds",
            "When this side's own certificate ends, by what it is for; 0 without one.",
            ["certificate"],
            registry=self.registry,
        )
        self.token_file_errors = Counter(
            prefix + "token_file_errors_total",
            "Changes of the file of tokens that could not be taken; the tokens from before stay in force.",
            registry=self.registry,
        )
        prefix += "event_loop_"
        self.loop_block = Histogram(
            prefix + "block_seconds",
            "One turn of the event loop: how long it ran callbacks and served no socket. Counted once frames are taken.",
            buckets=TURN_BUCKETS,
            registry=self.registry,
        )
        self.loop_longest_block = Gauge(
            prefix + "longest_block_seconds",
            "The longest turn of the event loop since frames are taken.",
            registry=self.registry,
        )
        self.loop_longest_computation = Gauge(
            prefix + "longest_computation_seconds",
            "The most processor time of one turn of the event loop. What a block is longer, its thread waited.",
            registry=self.registry,
        )
        for step in steps:
            self.steps.labels(stage=step)
            self.step_cpu.labels(stage=step)
        for result in RESULTS:
            self.handshakes.labels(result=result)
        for certificate in certificates:
            self.certificate_expiry.labels(certificate=certificate)
            for result in RENEWALS:
                self.certificate_renewals.labels(certificate=certificate, result=result)
        for codec in known_codecs():
            self.payload_bytes.labels(codec=codec)
