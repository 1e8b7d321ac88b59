"""For tests of files of JSON lines."""

from __future__ import annotations

import pytest
from kits.line_file import LineKit
from prometheus_client import CollectorRegistry

from shared.observing.counting.counter import Counter
from shared.observing.json_lines import JsonLines


@pytest.fixture
def errors():
    return Counter("lines", "Lines that were lost.", registry=CollectorRegistry())


@pytest.fixture
def path(tmp_path):
    return tmp_path / "out.jsonl"


@pytest.fixture
def make(errors):
    made = []

    def open_lines(path, *, append=True, **more):
        made.append(JsonLines(str(path), append=append, errors=errors, what="results", **more))
        return made[-1]

    yield open_lines
    for each in made:
        each.close()


@pytest.fixture
def kit(path):
    kit = LineKit(path)
    yield kit
    kit.close()
