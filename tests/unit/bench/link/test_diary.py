"""What the report says was predicted, and seen."""

from __future__ import annotations

from bench.link.diary import Diary
from edge.metrics import DEFAULT_CAMERA, EdgeMetrics


def test_of_the_last_plan_once_its_queues_are_full():
    diary = Diary(EdgeMetrics())
    assert diary.medians_ms() == (0.0, 0.0)
    diary.predicted(9.0)
    diary.measured(7.0)
    diary.switched("clear")
    diary.predicted(0.5)
    diary.measured(0.25)
    diary.measured(0.25)
    for predicted_s, seen_s in [(0.1, 0.12), (0.3, 0.14), (0.2, 0.13)]:
        diary.predicted(predicted_s)
        diary.measured(seen_s)
    assert diary.medians_ms() == (200.0, 130.0)
    assert diary.switches == 1


def test_it_is_told_as_by_an_edge_too():
    metrics = EdgeMetrics()
    diary = Diary(metrics)
    diary.switched("small")
    diary.predicted(0.5)
    diary.measured(0.25)
    found = {name: metrics.registry.get_sample_value(f"splitdnn_edge_{name}_latency_seconds", {"camera": DEFAULT_CAMERA})
             for name in ("predicted", "measured")}  # fmt: skip
    assert found == {"predicted": 0.5, "measured": 0.25}
