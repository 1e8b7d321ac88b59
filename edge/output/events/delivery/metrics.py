"""What is counted of deliveries that failed; those that did not, and events that are lost, are in edge/output/events/metrics.py."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.observing.counting.counter import Counter

if TYPE_CHECKING:
    from prometheus_client import CollectorRegistry

FAILURES = ("unreachable", "untrusted", "unauthorized", "timeout", "failed", "refused", "given_up")
"""Why an event was not taken: nobody answered, or not by a certificate that is believed; its user or password is not accepted; there
was no answer in time; it cannot take events for now. With the last two the event is lost: the target will not have it, or could not take it
for a whole day.
"""


class DeliveryMetrics:
    """Targets come as they are opened, and have every label value from then on."""

    def __init__(self, prefix: str, registry: CollectorRegistry | None) -> None:
        """`prefix`: `splitdnn_edge_`. Without a `registry` nothing is exported."""
        self.failures = Counter(
            prefix + "events_delivery_failures_total",
            "Attempts to deliver events that failed, by why. Events wait for the next one, unless they were refused or given up.",
            ["target", "reason"],
            registry=registry,
        )

    def add_target(self, target: str) -> None:
        """One that may fail from now on."""
        for reason in FAILURES:
            self.failures.labels(target=target, reason=reason)
