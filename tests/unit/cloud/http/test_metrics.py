"""`GET /metrics`: every label value from the start, counted, in both formats."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import prometheus_client.openmetrics.parser
import prometheus_client.parser
from kits.cloud import Server

from cloud.metrics import ENDPOINTS, NETWORK_CHANGES, REJECTIONS, STEPS, TRANSFERS
from shared.codecs import NAMES
from shared.errors import all_request_errors

if TYPE_CHECKING:
    from collections.abc import Callable


def samples(text: str, parse: Callable[[str], Any]) -> dict[tuple[str, tuple], float]:
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in parse(text)
        for sample in family.samples
    }


PLAIN = prometheus_client.parser.text_string_to_metric_families
OPEN_METRICS = prometheus_client.openmetrics.parser.text_string_to_metric_families


def test_every_label_value_is_there_before_the_first_request() -> None:
    with Server() as server:
        found = samples(server.ask("GET", "/metrics").body.decode(), PLAIN)
    prefix = "splitdnn_cloud_"
    codes = {error.status for error in all_request_errors()} | {200, 201, 404, 405, 500}
    assert {"/tail-times", "/profile"} < set(ENDPOINTS)  # the new name and the old one
    for endpoint in ENDPOINTS:
        assert found[f"{prefix}request_duration_seconds_count", (("endpoint", endpoint),)] == 0
        for code in codes:
            assert found[f"{prefix}requests_total", (("code", str(code)), ("endpoint", endpoint))] == 0
    for step in STEPS:
        assert found[f"{prefix}stage_duration_seconds_count", (("stage", step),)] == 0
        assert found[f"{prefix}stage_cpu_seconds_total", (("stage", step),)] == 0
    assert {error.reason for error in all_request_errors()} | {"internal"} == set(REJECTIONS)
    for reason in REJECTIONS:
        assert found[f"{prefix}rejected_total", (("reason", reason),)] == 0
    for codec in NAMES:
        assert found[f"{prefix}payload_bytes_count", (("codec", codec),)] == 0
    for name in (
        "queue_depth",
        "frames",
        "active_clients",
        "abandoned_total",
        "profiles",
        "profiles_received_total",
        "profiles_evicted_total",
        "ledger_errors_total",
        "buffered_bytes",
        "engine_failed_checks_total",
        "batch_size_count",
        "queue_wait_seconds_count",
    ):
        assert found[prefix + name, ()] == 0
    for result in NETWORK_CHANGES:
        assert found[f"{prefix}network_changes_total", (("result", result),)] == 0
    for result in TRANSFERS:
        assert found[f"{prefix}bundle_transfers_total", (("result", result),)] == 0
    assert found[f"{prefix}queue_capacity", ()] == 64
    assert found[f"{prefix}networks", ()] == 1
    assert found[f"{prefix}ready", ()] == 1
    assert ("process_start_time_seconds", ()) in found
    (build,) = (dict(labels) for name, labels in found if name == "splitdnn_build_info")
    assert (build["component"], build["model"], build["weights"]) == ("cloud", "residual", "random:0")
    assert (build["engine"], build["precision"], build["device"]) == ("numpy", "float32", "cpu")


def test_counters_count_and_labels_stay_the_ones_that_were_there(pack: Any) -> None:
    with Server() as server:
        before = samples(server.ask("GET", "/metrics").body.decode(), PLAIN)
        assert server.frame(pack()).status == 200
        server.post({"data": [[0.5] * 512] * 3, "split_point": "flatten"})
        server.frame(pack(codec_id=999)).refused(415, "bad_codec")
        server.ask("GET", "/nowhere/1").refused(404, "http")
        server.ask("GET", "/nowhere/2").refused(404, "http")
        after = samples(server.ask("GET", "/metrics").body.decode(), PLAIN)
    moved = {key: after[key] - before[key] for key in before if "_bucket" not in key[0] and "cloud" in key[0]}
    prefix = "splitdnn_cloud_"
    assert after.keys() == before.keys()
    assert moved[f"{prefix}requests_total", (("code", "200"), ("endpoint", "/model"))] == 2
    assert moved[f"{prefix}requests_total", (("code", "415"), ("endpoint", "/model"))] == 1
    assert moved[f"{prefix}requests_total", (("code", "404"), ("endpoint", "other"))] == 2
    assert moved[f"{prefix}request_duration_seconds_count", (("endpoint", "/model"),)] == 3
    assert moved[f"{prefix}rejected_total", (("reason", "bad_codec"),)] == 1
    assert moved[f"{prefix}payload_bytes_count", (("codec", "float32"),)] == 1
    assert moved[f"{prefix}payload_bytes_sum", (("codec", "float32"),)] == 2048
    assert moved[f"{prefix}batch_size_sum", ()] == 4
    assert moved[f"{prefix}queue_wait_seconds_count", ()] == 2
    counts = {step: moved[f"{prefix}stage_duration_seconds_count", (("stage", step),)] for step in STEPS}
    assert counts == {"receive": 3, "decode": 3, "queue": 2, "tail": 2, "top": 1}
    cpu = {step: moved[f"{prefix}stage_cpu_seconds_total", (("stage", step),)] for step in STEPS}
    assert {step for step, seconds in cpu.items() if seconds > 0} == {"decode", "tail", "top"}
    assert not [
        value for (name, _), value in moved.items() if value < 0 and name.endswith(("_total", "_count"))
    ]


def test_metrics_come_in_the_format_that_is_asked_for(server: Server) -> None:
    accept = "application/openmetrics-text;version=1.0.0;q=0.5,text/plain;version=0.0.4;q=0.3"
    answer = server.ask("GET", "/metrics", Accept=accept)
    assert answer.headers["content-type"].startswith("application/openmetrics-text; version=1.0.0")
    assert answer.body.endswith(b"# EOF\n")
    plain = server.ask("GET", "/metrics")
    assert plain.headers["content-type"].startswith("text/plain; version=0.0.4")
    open_names = {name for name, _ in samples(answer.body.decode(), OPEN_METRICS)}
    assert open_names == {name for name, _ in samples(plain.body.decode(), PLAIN)}
    assert not [name for name in open_names if name.endswith("_created")]


def test_a_scraper_that_asks_for_nonsense_gets_its_metrics(server: Server) -> None:
    for version in ("x", "1.0.0-rc.1", "", ";;==", "9" * 100):
        for kind in ("application/openmetrics-text", "text/plain"):
            answer = server.ask("GET", "/metrics", Accept=f"{kind};version={version}")
            assert answer.status == 200, version
            assert b"splitdnn_cloud_ready 1.0" in answer.body
