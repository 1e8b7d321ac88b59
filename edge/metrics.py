"""What the edge exports. Names are an interface: dashboards, alerts and users build on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import Gauge

from edge.output.events.delivery.metrics import DeliveryMetrics
from edge.output.events.metrics import EventMetrics
from edge.planning.budget.wire_bytes import WireBytes
from edge.uplink.clouds.metrics import CloudMetrics
from edge.uplink.profiles.metrics import FleetMetrics
from edge.uplink.session.metrics import SessionMetrics
from shared.observing.counting.counter import Counter
from shared.observing.counting.histogram import Histogram
from shared.observing.file_metrics import FileMetrics
from shared.observing.metrics import Metrics
from shared.observing.telemetry import DURATION_BUCKETS

if TYPE_CHECKING:
    from collections.abc import Sequence

STEPS = (
    "capture", "wait_preprocess", "preprocess", "wait_head", "head", "wait_encode", "compare", "encode", "wait_uplink", "send",
    "wait_answer", "tail",
)  # fmt: skip
CERTIFICATES = ("client", "status", "events")
QUEUES = ("capture", "head", "encode", "send")
OUTCOMES = ("cloud", "edge", "still", "dropped", "left_out", "failed")
FALLBACKS = (
    "circuit_open",
    "unreachable",
    "untrusted",
    "late",
    "busy",
    "refused",
    "unauthorized",
    "damaged",
    "profile",
    "state",
    "budget",
    "encode",
    "explore",
)
FETCHES = ("fetched", "kept", "away", "cut", "refused", "too_large", "damaged", "disk")
CHANGES = ("taken", "failed")
SWITCHES = ("limit", "clear", "small")
CIRCUIT_STATES = ("closed", "open", "half_open")
VERIFIED = ("same", "other", "left_out", "failed")
DEFAULT_CAMERA = "camera"


class EdgeMetrics(Metrics):
    """One registry with every metric of the edge, each label value initialised."""

    def __init__(self, cameras: Sequence[str] = (DEFAULT_CAMERA,)) -> None:
        """`cameras`: the values of the label `camera`, each once."""
        self.state = "starting"  # then running, and finished once the source has ended
        self.unseen = set(cameras)  # those that have given no frame yet
        prefix = "splitdnn_edge_"
        super().__init__(prefix, STEPS, CERTIFICATES)
        self.frames = Counter(
            prefix + "frames_total",
            "Frames by what became of them: answered by cloud or by edge, a still scene's earlier answer repeated, dropped by "
            "policy, left out to keep to the camera's own rate, failed.",
            ["camera", "outcome"],
            registry=self.registry,
        )
        self.fallbacks = Counter(
            prefix + "fallbacks_total",
            "Frames that the edge finished itself, by why the cloud did not.",
            ["camera", "reason"],
            registry=self.registry,
        )
        self.queue_depth = Gauge(prefix + "queue_depth", "Frames waiting.", ["queue"], registry=self.registry)
        self.queue_capacity = Gauge(
            prefix + "queue_capacity", "Frames that may wait.", ["queue"], registry=self.registry
        )
        self.latency = Histogram(
            prefix + "frame_latency_seconds",
            "From a frame's capture to its answer, where that is not an earlier frame's.",
            ["camera"],
            buckets=DURATION_BUCKETS,
            registry=self.registry,
        )
        self.uplink_bytes = Counter(
            prefix + "uplink_bytes_total", "Bytes of frames sent to the cloud.", registry=self.registry
        )
        self.uplink_throughput = Gauge(
            prefix + "uplink_throughput_bytes_per_second",
            "Bytes of the latest answered frame over its round trip less the cloud's own time.",
            registry=self.registry,
        )
        self.in_flight = Gauge(prefix + "in_flight", "Requests under way.", registry=self.registry)
        self.circuit_state = Gauge(
            prefix + "circuit_state", "1 for the circuit breaker's state.", ["state"], registry=self.registry
        )
        self.fleet = FleetMetrics(prefix, self.registry)
        self.session = SessionMetrics(prefix, self.registry)
        self.wire = WireBytes(prefix, self.registry)
        self.source_up = Gauge(
            prefix + "source_up", "1 while the source gives frames.", ["camera"], registry=self.registry
        )
        self.source_reconnects = Counter(
            prefix + "source_reconnects_total",
            "Attempts to open the source again.",
            ["camera"],
            registry=self.registry,
        )
        self.last_frame_timestamp = Gauge(
            prefix + "last_frame_timestamp_seconds",
            "When the latest frame was read.",
            ["camera"],
            registry=self.registry,
        )
        self.running = Gauge(
            prefix + "running",
            "1 while frames are expected, 0 once every source has ended.",
            registry=self.registry,
        )
        self.camera_running = Gauge(
            prefix + "camera_running",
            "1 while frames are expected of the camera, 0 once its source has ended.",
            ["camera"],
            registry=self.registry,
        )
        self.undecodable = Counter(
            prefix + "undecodable_total",
            "Packets and pictures that could not be decoded, and were left out.",
            ["camera"],
            registry=self.registry,
        )
        self.damaged_frames = Counter(
            prefix + "damaged_frames_total",
            "Frames of which the decoder had to make up a part, those that are left out as well.",
            ["camera"],
            registry=self.registry,
        )
        self.result_errors = Counter(
            prefix + "result_errors_total", "Records that could not be written.", registry=self.registry
        )
        self.results = FileMetrics(prefix + "results_", "records", self.registry)
        self.link_throughput = Gauge(
            prefix + "link_throughput_bytes_per_second",
            "What the uplink is estimated to carry.",
            registry=self.registry,
        )
        self.link_round_trip = Gauge(
            prefix + "link_round_trip_seconds",
            "Estimated time to the cloud and back, without frame and computing.",
            registry=self.registry,
        )
        self.cloud_queue_wait = Gauge(
            prefix + "cloud_queue_wait_seconds",
            "What the latest answered frame waited in the cloud's queue.",
            registry=self.registry,
        )
        self.plan_info = Gauge(
            prefix + "plan_info",
            "1 for the plan in force.",
            ["camera", "split_point", "codec"],
            registry=self.registry,
        )
        self.plan_switches = Counter(
            prefix + "plan_switches_total",
            "Times that the planner put another plan into force, by why.",
            ["camera", "reason"],
            registry=self.registry,
        )
        self.explorations = Counter(
            prefix + "explorations_total",
            "Frames sent to learn about the link, which the edge answered itself.",
            registry=self.registry,
        )
        self.predicted_latency = Gauge(
            prefix + "predicted_latency_seconds",
            "What the planner expects of the plan in force, without waiting in the edge's own queues.",
            ["camera"],
            registry=self.registry,
        )
        self.measured_latency = Gauge(
            prefix + "measured_latency_seconds",
            "The same as measured: the median of the plan's latest frames.",
            ["camera"],
            registry=self.registry,
        )
        self.bundle_fetches = Counter(
            prefix + "bundle_fetches_total",
            "Times that the cloud's network was fetched as a bundle, found kept from earlier, or could not be had, by why.",
            ["result"],
            registry=self.registry,
        )
        self.network_changes = Counter(
            prefix + "network_changes_total",
            "Times that another network was taken while frames flowed, or could not be.",
            ["result"],
            registry=self.registry,
        )
        self.verified = Counter(
            prefix + "verified_total",
            "The cloud's answers that were drawn to be computed again here, by what came out.",
            ["result"],
            registry=self.registry,
        )
        self.verified_agreement = Counter(
            prefix + "verified_agreement_total",
            "Sum of their agreement, each 0 to 1.",
            registry=self.registry,
        )
        self.clouds = CloudMetrics(self.registry)
        self.events = EventMetrics(prefix, self.registry)
        self.deliveries = DeliveryMetrics(prefix, self.registry)
        by_result = (self.verified, VERIFIED), (self.bundle_fetches, FETCHES), (self.network_changes, CHANGES)
        for counter, results in by_result:
            for result in results:
                counter.labels(result=result)
        for queue in QUEUES:
            self.queue_depth.labels(queue=queue)
            self.queue_capacity.labels(queue=queue)
        for state in CIRCUIT_STATES:
            self.circuit_state.labels(state=state).set(state == "closed")
        for camera in cameras:
            self._initialise(camera)

    def _initialise(self, camera: str) -> None:
        for metric in (
            self.latency,
            self.source_up,
            self.source_reconnects,
            self.last_frame_timestamp,
            self.camera_running,
            self.undecodable,
            self.damaged_frames,
            self.predicted_latency,
            self.measured_latency,
        ):
            metric.labels(camera=camera)
        for outcome in OUTCOMES:
            self.frames.labels(camera=camera, outcome=outcome)
        for reason in SWITCHES:
            self.plan_switches.labels(camera=camera, reason=reason)
        for reason in FALLBACKS:
            self.fallbacks.labels(camera=camera, reason=reason)
