"""What the edge exports of its page."""

from __future__ import annotations

from typing import TYPE_CHECKING

from prometheus_client import Gauge

from shared.observing.counting.counter import Counter

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

REFUSALS = ("unauthenticated", "forbidden", "unavailable", "bad_request")
LOGINS = ("begun", "refused")


class PageMetrics:
    """Beside those of edge/metrics.py, in the same registry."""

    def __init__(self, registry: CollectorRegistry) -> None:
        prefix = "splitdnn_edge_page_"
        self.viewers = Gauge(prefix + "viewers", "Pages that are open now.", registry=registry)
        self.pictures = Counter(
            prefix + "pictures_total", "Pictures made into JPEGs for the page.", registry=registry
        )
        self.refused = Counter(
            prefix + "refusals_total",
            "Requests for the page, its events or its pictures that were refused, by why.",
            ["reason"],
            registry=registry,
        )
        self.logins = Counter(
            prefix + "logins_total",
            "Logins of browsers, by what became of them.",
            ["result"],
            registry=registry,
        )
        for reason in REFUSALS:
            self.refused.labels(reason=reason)
        for result in LOGINS:
            self.logins.labels(result=result)
