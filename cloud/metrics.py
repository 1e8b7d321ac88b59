"""What the cloud exports. Names are an interface: dashboards, alerts and users build on them."""

from __future__ import annotations

from prometheus_client import Gauge

from cloud.access.client_metrics import ClientMetrics
from cloud.access.refusals import BrokenError, HeaderError
from cloud.bodies.pictures.picture import IMAGE
from cloud.frames.sessions.metrics import SessionMetrics
from shared.errors import all_request_errors
from shared.observing.counting.counter import Counter
from shared.observing.counting.histogram import Histogram
from shared.observing.file_metrics import FileMetrics
from shared.observing.metrics import Metrics
from shared.observing.telemetry import BATCH_BUCKETS, DURATION_BUCKETS

ENDPOINTS = (
    "/",
    "/compute",
    "/model",
    "/tail-times",
    "/profile",  # the old name of /tail-times
    "/profiles",
    "/bundle",
    "/openapi.yaml",
    "/healthz",
    "/readyz",
    "/metrics",
    "/page",
    "/page/events",
    "/login",
    "/logout",
    "/session",
    "/v2",  # what is asked of the Open Inference Protocol
    "/v2/models",  # inference by it
    "other",
)
CERTIFICATES = ("server",)
STEPS = ("receive", "decode", "queue", "tail", "top")
REJECTIONS = tuple(dict.fromkeys([*(error.reason for error in all_request_errors()), BrokenError.reason]))
CONNECTIONS_CLOSED = ("refused", "displaced", "unread", "paused")
PROFILE_SOURCES = ("folder", "sibling")
BROUGHT = ("taken", "failed", "missing")
TRANSFERS = ("complete", "abandoned", "stalled", "failed")
NETWORK_CHANGES = ("taken", "failed", "away")
LOGINS = ("begun", "refused")
VIDEOS_LOST = ("died", "late", "idle", "displaced")
_CODES = (
    *(
        101,
        200,
        201,
        206,
        303,
        304,
        400,
        401,
        403,
        404,
        405,
        408,
        409,
        413,
        415,
        416,
        422,
        424,
        426,
        429,
        431,
    ),
    *(500, 503, 504),
)


class CloudMetrics(Metrics):
    """One registry with every metric of the cloud, each label value initialised."""

    def __init__(self) -> None:
        prefix = "splitdnn_cloud_"
        super().__init__(prefix, STEPS, CERTIFICATES)
        self.requests = Counter(
            prefix + "requests_total", "HTTP requests answered.", ["endpoint", "code"], registry=self.registry
        )
        self.duration = Histogram(
            prefix + "request_duration_seconds",
            "From the request's header to its answer.",
            ["endpoint"],
            buckets=DURATION_BUCKETS,
            registry=self.registry,
        )
        self.queue_depth = Gauge(
            prefix + "queue_depth", "Tensors waiting for their tail.", registry=self.registry
        )
        self.queue_capacity = Gauge(
            prefix + "queue_capacity", "Tensors that may wait for their tail.", registry=self.registry
        )
        self.queue_wait = Histogram(
            prefix + "queue_wait_seconds",
            "From entering the queue to the start of the tail.",
            buckets=DURATION_BUCKETS,
            registry=self.registry,
        )
        self.batch_size = Histogram(
            prefix + "batch_size",
            "Tensors in one run of a tail, with those that boarded on its way.",
            buckets=BATCH_BUCKETS,
            registry=self.registry,
        )
        self.boarded = Counter(
            prefix + "boarded_total",
            "Tensors that boarded a run on its way, at a later split point than that where it began.",
            registry=self.registry,
        )
        self.rejected = Counter(
            prefix + "rejected_total", "Requests refused, by reason.", ["reason"], registry=self.registry
        )
        self.headers_refused = self.rejected.labels(reason=HeaderError.reason)
        self.abandoned = Counter(
            prefix + "abandoned_total", "Requests whose caller went away before the answer.", registry=self.registry
        )  # fmt: skip
        self.connections_closed = Counter(
            prefix + "connections_closed_total",
            "Connections refused, closed while idle to make room, or cut off for an answer that nobody read; and pauses in accepting.",
            ["why"],
            registry=self.registry,
        )
        self.buffered_bytes = Gauge(
            prefix + "buffered_bytes", "Request bodies held in memory.", registry=self.registry
        )
        self.profiles = Gauge(
            prefix + "profiles", "Profiles that frames may name at present.", registry=self.registry
        )
        self.profiles_received = Counter(
            prefix + "profiles_received_total",
            "Profiles received that were new to this cloud.",
            registry=self.registry,
        )
        self.profiles_evicted = Counter(
            prefix + "profiles_evicted_total",
            "Profiles dropped to make room for others.",
            registry=self.registry,
        )
        self.profiles_brought = Counter(
            prefix + "profiles_brought_total",
            "Profiles that a frame named, and that were looked for in the folder that clouds share, and at its siblings.",
            ["source", "result"],
            registry=self.registry,
        )
        self.networks_brought = Counter(
            prefix + "networks_brought_total",
            "Networks that a frame was for, and that siblings were asked for, by result.",
            ["result"],
            registry=self.registry,
        )
        self.profile_folder_errors = Counter(
            prefix + "profile_folder_errors_total",
            "Times that the folder of profiles could not be read or written, or a file there was damaged.",
            registry=self.registry,
        )
        self.ledger_errors = Counter(
            prefix + "ledger_errors_total",
            "Lines of the ledger that could not be written.",
            registry=self.registry,
        )
        self.ledger_files = FileMetrics(prefix + "ledger_", "the ledger", self.registry)
        self.audit_errors = Counter(
            prefix + "audit_errors_total",
            "Lines of the audit that could not be written.",
            registry=self.registry,
        )
        self.audit_left_out = Counter(
            prefix + "audit_left_out_total",
            "Lines of the audit that were left out, as there were too many about one client or all.",
            registry=self.registry,
        )
        self.audit_files = FileMetrics(prefix + "audit_", "the audit", self.registry)
        self.clients = ClientMetrics(prefix, self.registry)
        self.frames = Gauge(
            prefix + "frames", "Requests for a tail under way, from header to answer.", registry=self.registry
        )
        self.active_clients = Gauge(
            prefix + "active_clients",
            "Clients with a request for a tail or a body under way.",
            registry=self.registry,
        )
        self.connections = Gauge(prefix + "connections", "Connections open.", registry=self.registry)
        self.networks = Gauge(
            prefix + "networks",
            "Networks held: the current one, and earlier ones that edges still use.",
            registry=self.registry,
        )
        self.network_changes = Counter(
            prefix + "network_changes_total",
            "Changes of the bundle's folder: taken as the current network, failed (the network stays as it is), or away.",
            ["result"],
            registry=self.registry,
        )
        self.bundle_transfers = Counter(
            prefix + "bundle_transfers_total",
            "Files of a bundle that were sent to a client, by how it ended.",
            ["result"],
            registry=self.registry,
        )
        self.video_streams = Gauge(
            prefix + "video_streams",
            "Videos that are decoded at present, each in a process of its own.",
            registry=self.registry,
        )
        self.video_lost = Counter(
            prefix + "video_lost_total",
            "Videos whose process was ended: it died of a picture, was late with one, had none for a while, or made room. Each costs a keyframe.",
            ["why"],
            registry=self.registry,
        )
        self.tokens = Gauge(prefix + "tokens", "Tokens in the file of tokens.", registry=self.registry)
        self.logins = Counter(
            prefix + "logins_total",
            "Browsers that showed a token to log in, by what came of it.",
            ["result"],
            registry=self.registry,
        )
        self.sessions = SessionMetrics(prefix, self.registry)
        self.ready = Gauge(
            prefix + "ready",
            "1 while frames are taken, 0 while starting or draining.",
            registry=self.registry,
        )
        self.payload_bytes.labels(codec=IMAGE)
        for endpoint in ENDPOINTS:
            self.duration.labels(endpoint=endpoint)
            for code in _CODES:
                self.requests.labels(endpoint=endpoint, code=str(code))
        for source in PROFILE_SOURCES:
            for result in BROUGHT:
                self.profiles_brought.labels(source=source, result=result)
        for counter, values in (
            (self.networks_brought, BROUGHT),
            (self.network_changes, NETWORK_CHANGES),
            (self.bundle_transfers, TRANSFERS),
            (self.logins, LOGINS),
            (self.video_lost, VIDEOS_LOST),
            (self.connections_closed, CONNECTIONS_CLOSED),
            (self.rejected, REJECTIONS),
        ):
            for value in values:
                counter.labels(value)
