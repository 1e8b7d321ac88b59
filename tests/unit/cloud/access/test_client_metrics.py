"""Each client has a label of its own, and no crowd of clients makes a crowd of labels."""

import pytest
from prometheus_client import CollectorRegistry

from cloud.access.client_metrics import OTHERS, WITHOUT_KEY, ClientMetrics
from shared.limits import MAX_CLIENT_LABELS


@pytest.fixture
def registry():
    return CollectorRegistry()


@pytest.fixture
def metrics(registry):
    return ClientMetrics("p_", registry)


def labels(registry):
    return {
        sample.labels["client"]
        for family in registry.collect()
        for sample in family.samples
        if "client" in sample.labels
    }


def test_what_a_client_does_is_counted_under_its_name(registry, metrics):
    metrics.ended("gate-3", "answered", 100)
    metrics.ended("gate-3", "refused", 0)
    metrics.ended(None, "abandoned", 7)
    metrics.computed("gate-3")(0.25)
    for name, where, expected in (
        ("p_client_requests_total", {"client": "gate-3", "outcome": "answered"}, 1),
        ("p_client_requests_total", {"client": "gate-3", "outcome": "refused"}, 1),
        ("p_client_requests_total", {"client": WITHOUT_KEY, "outcome": "abandoned"}, 1),
        ("p_client_received_bytes_total", {"client": "gate-3"}, 100),
        ("p_client_received_bytes_total", {"client": WITHOUT_KEY}, 7),
        ("p_client_compute_seconds_total", {"client": "gate-3"}, 0.25),
        ("p_client_compute_seconds_total", {"client": OTHERS}, 0),
    ):
        assert registry.get_sample_value(name, where) == expected, (name, where)


def test_a_crowd_of_names_shares_one_label(registry, metrics):
    for number in range(10 * MAX_CLIENT_LABELS):
        metrics.ended(f"c{number}", "answered", 1)
        metrics.computed(f"c{number}")(1)
    assert len(labels(registry)) == MAX_CLIENT_LABELS + 2
    where = {"client": OTHERS}
    assert registry.get_sample_value("p_client_compute_seconds_total", where) == 9 * MAX_CLIENT_LABELS
    assert metrics.label("c0") == "c0", "who came first keeps his own"


def test_no_name_is_taken_for_those_of_all_others(metrics):
    assert [metrics.label(name) for name in (WITHOUT_KEY, OTHERS)] == [OTHERS, OTHERS]
