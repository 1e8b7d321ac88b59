"""What is counted of an uplink to several clouds behind one address: what was sent again, and what was brought to them."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.observing.counting.counter import Counter

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

PROXY_ANSWERS = ("502", "503", "504", "other")


class FleetMetrics:
    """Counters in the edge's registry, each label value initialised."""

    def __init__(self, prefix: str, registry: CollectorRegistry) -> None:
        self.retries = Counter(
            prefix + "retries_total",
            "Frames sent once more, as their connection broke before an answer, or a proxy had no cloud to pass them to.",
            registry=registry,
        )
        self.proxy_answers = Counter(
            prefix + "proxy_answers_total",
            "Answers that were no cloud's own but those of a balancer or proxy before it, by status.",
            ["status"],
            registry=registry,
        )
        self.profile_uploads = Counter(
            prefix + "profile_uploads_total",
            "Times that a cloud took the codec's profile.",
            registry=registry,
        )
        self.profile_questions = Counter(
            prefix + "profile_questions_total",
            "Times that a cloud was asked whether it has the codec's profile, before that was sent to one of several.",
            registry=registry,
        )
        self.profile_shortages = Counter(
            prefix + "profile_shortages_total",
            "Times that a cloud lacked the codec's profile after that was sent as often as there are clouds; the frame is sent again.",
            registry=registry,
        )
        for status in PROXY_ANSWERS:
            self.proxy_answers.labels(status=status)

    def proxy_answered(self, status: int) -> None:
        """A proxy answered so, in place of a cloud."""
        text = str(status)
        self.proxy_answers.labels(status=text if text in PROXY_ANSWERS else "other").inc()
