"""What is counted of sessions; docs/operations.md says what to do about it."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import Gauge

from shared.observing.counting.counter import Counter

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

FALLBACKS = (
    "old",
    "refused",
    "unauthorized",
    "busy",
    "closed",
    "late",
    "unreachable",
    "untrusted",
    "protocol",
)
"""Why there is no session: the cloud offers none; the upgrade was refused, or was answered by no cloud; who asks is not let in; the cloud has
no place; the connection was closed at once; nothing came in time; nobody was there; certificates; what came is no session.
"""
RECONNECTS = ("resumed", "anew", "failed")
KEYFRAMES = ("start", "alone", "break", "lost", "wanted", "interval")
"""Why a frame needed no other: the stream's first in its session; there is no session; the connection broke; a frame before it did not
travel or was not decoded; the cloud asked for one; the codec's own interval.
"""
FRAMES = ("answered", "refused", "cancelled", "withdrawn", "resent", "lost", "stateless")
"""What became of frames: `cancelled` too late for an answer, `withdrawn` so before it was sent, `resent` after a break, `lost` with a session
that could not go on, `stateless` not sent, as the frame before it was not.
"""
LEAVING = ("drain", "rebalance", "idle", "replaced", "other")


class SessionMetrics:
    """Metrics in the edge's registry, each label value initialised."""

    def __init__(self, prefix: str, registry: CollectorRegistry) -> None:
        prefix += "session_"

        def counter(name: str, text: str, label: str, values: tuple[str, ...]) -> Counter:
            made = Counter(prefix + name + "_total", text, [label], registry=registry)
            for each in values:
                made.labels(**{label: each})
            return made

        self.open = Gauge(prefix + "open", "Sessions with a cloud that are open.", registry=registry)
        self.opened = Counter(prefix + "opened_total", "Sessions that were opened.", registry=registry)
        self.fallbacks = counter(
            "fallbacks",
            "Times that there was no session and frames went by HTTP, each alone, by why.",
            "reason",
            FALLBACKS,
        )
        self.reconnects = counter(
            "reconnects",
            "Connections of a session that broke, by how it went on: resumed, anew, or not.",
            "result",
            RECONNECTS,
        )
        self.go_aways = counter(
            "go_aways", "Times that a cloud ended a session in good order, by why.", "reason", LEAVING
        )
        self.keyframes = counter(
            "keyframes", "Frames of a stream that need no frame before them, by why.", "reason", KEYFRAMES
        )
        self.frames = counter(
            "frames", "Frames given to a session, by what became of them there.", "outcome", FRAMES
        )
        self.withheld = Counter(
            prefix + "withheld_total",
            "Frames that were not encoded, as the link could not have carried them in time.",
            registry=registry,
        )
        self.bytes = counter(
            "protocol_bytes",
            "Bytes of sessions beside the frames' payloads, WebSocket framing included, by direction.",
            "direction",
            ("up", "down"),
        )
        self.overhead = Gauge(
            prefix + "frame_overhead_bytes",
            "Bytes above the payload of the latest frames, their answers included, as they travel now: by the session, or by HTTP.",
            registry=registry,
        )

    def keyframe(self, reason: str) -> None:
        """A frame that needs no other was encoded."""
        self.keyframes.labels(reason=reason).inc()

    def frame(self, outcome: str) -> None:
        """A frame has this outcome, one of FRAMES."""
        self.frames.labels(outcome=outcome).inc()
