"""Reads the `/metrics` of a process as numbers."""

from __future__ import annotations

import urllib.request
from dataclasses import dataclass
from typing import TYPE_CHECKING

from prometheus_client.parser import text_string_to_metric_families

if TYPE_CHECKING:
    from collections.abc import Mapping

_TIMEOUT_S = 30.0


@dataclass(frozen=True)
class Metrics:
    """Every sample of one scrape."""

    samples: Mapping[tuple[str, frozenset[tuple[str, str]]], float]

    def value(self, name: str, **labels: str) -> float | None:
        """One sample; None if the process does not export it."""
        return self.samples.get((name, frozenset(labels.items())))

    def by_label(self, name: str, label: str) -> dict[str, float]:
        """All samples of a metric with this one label, by the label's value; empty where there are none."""
        return {
            value: number
            for (found, labels), number in self.samples.items()
            if found == name
            for key, value in labels
            if key == label
        }


def scrape(url: str) -> Metrics:
    """The metrics of the process at `url`, which is without a path."""
    with urllib.request.urlopen(f"{url}/metrics", timeout=_TIMEOUT_S) as response:
        return parse(response.read().decode())


def parse(text: str) -> Metrics:
    """Prometheus' text format."""
    return Metrics(
        {
            (sample.name, frozenset(sample.labels.items())): sample.value
            for family in text_string_to_metric_families(text)
            for sample in family.samples
        }
    )
