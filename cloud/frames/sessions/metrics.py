"""What the cloud counts of sessions. Names are an interface, as all of cloud/metrics.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import Gauge

from shared.observing.counting.counter import Counter

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

HELLOS = ("new", "resumed", "lost")
OUTCOMES = ("answered", "refused", "cancelled", "abandoned")
GO_AWAYS = ("drain", "rebalance", "idle", "replaced")
WANTED = ("missing", "refused", "damaged")
CLOSED = ("protocol", "memory", "silent", "unread", "gone", "access")


class SessionMetrics:
    """Every label value is initialised."""

    def __init__(self, prefix: str, registry: CollectorRegistry) -> None:
        """Names begin with `prefix`."""
        self.open = Gauge(
            prefix + "sessions",
            "Sessions held: with a connection, or with one that broke lately and may be followed by another.",
            registry=registry,
        )
        self.hellos = Counter(
            prefix + "session_hellos_total",
            "Connections of sessions by what began: a new session, one that goes on, or a new one as the named one is not here any more.",
            ["result"],
            registry=registry,
        )
        self.frames = Counter(
            prefix + "session_frames_total",
            "Frames that came in sessions, by what became of them.",
            ["outcome"],
            registry=registry,
        )
        self.go_aways = Counter(
            prefix + "session_go_aways_total",
            "Times that an edge was told to open another session, by reason.",
            ["reason"],
            registry=registry,
        )
        self.keyframes_wanted = Counter(
            prefix + "session_keyframes_wanted_total",
            "Times that an edge was asked for a keyframe: its frame needed one that is missing here, was refused undecoded, or was damaged.",
            ["reason"],
            registry=registry,
        )
        self.closed = Counter(
            prefix + "session_connections_closed_total",
            "Connections of sessions that the cloud broke off, by why.",
            ["why"],
            registry=registry,
        )
        for counter, values in (
            (self.hellos, HELLOS),
            (self.frames, OUTCOMES),
            (self.go_aways, GO_AWAYS),
            (self.keyframes_wanted, WANTED),
            (self.closed, CLOSED),
        ):
            for value in values:
                counter.labels(value)
