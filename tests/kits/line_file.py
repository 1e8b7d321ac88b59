"""A file of lines with a clock of its own, and what it and its complete ones hold."""

from __future__ import annotations

import json

from kits.json_lines import lines_of
from prometheus_client import CollectorRegistry

from shared.observing.file_metrics import FileMetrics
from shared.observing.line_file import LineFile
from shared.observing.rotation import Rotation


class LineKit:
    """One path, opened as often as a test likes."""

    def __init__(self, path):
        self.path = path
        self.now = 100.0
        self.metrics = FileMetrics("m_", "lines", CollectorRegistry())
        self.files = []

    def open(self, *, append=True, **limits):
        rotation = Rotation(**limits) if limits else None
        file = LineFile(
            self.path, what="results", rotation=rotation, metrics=self.metrics, clock=lambda: self.now
        )
        self.files.append(file)
        file.open(append=append)
        return file

    def complete(self):
        """The complete files, in order."""
        return sorted(self.path.parent.glob(f"{self.path.stem}-*"))

    def numbers(self):
        """What all files hold, in order."""
        return [
            line["n"] for path in [*self.complete(), self.path] if path.exists() for line in lines_of(path)
        ]

    def count(self, metric, **labels):
        (family,) = metric.collect()
        return next(
            each.value for each in family.samples if each.labels == labels and "created" not in each.name
        )

    def close(self):
        for file in self.files:
            file.close()


def line(number, size=0):
    return (json.dumps({"n": number, "fill": "x" * size} if size else {"n": number}) + "\n").encode()
