"""The small endpoints, and what is exported."""

from __future__ import annotations

import logging
from typing import TYPE_CHECKING, Any

import prometheus_client.openmetrics.parser
import prometheus_client.parser
import pytest
from kits.cloud import FRAME, Server, until

from cloud.metrics import ENDPOINTS, REJECTIONS, STEPS
from shared import limits
from shared.codecs import CODECS, NAMES
from shared.errors import all_request_errors
from shared.limits import MAX_PROFILE_BYTES

if TYPE_CHECKING:
    from collections.abc import Callable

    import numpy as np

    from shared.network.model import Model
    from shared.network.partition import Partition


def test_hello_says_where_to_go_on(server: Server) -> None:
    answer = server.ask("GET", "/")
    assert (answer.status, answer.headers["content-type"]) == (200, "text/plain; charset=utf-8")
    assert b"GET /model" in answer.body
    assert answer.headers["server"] == "splitdnn"


@pytest.mark.parametrize(
    ("number", "result"),
    [("7", 49), ("-1.5", 2.25), ("0", 0), ("4503599627370497", 4503599627370497**2), ("-2e10", 4e20)],
)
def test_compute_squares(server: Server, number: str, result: float) -> None:
    answer = server.post(b'{"number": %s}' % number.encode(), path="/compute")
    assert (answer.status, answer.json) == (200, {"result": result})


@pytest.mark.parametrize(
    ("body", "status", "reason"),
    [
        (b"", 400, "bad_body"),
        (b"{", 400, "bad_body"),
        (b"7", 400, "bad_body"),
        (b"{}", 400, "bad_body"),
        (b'{"number": "7"}', 400, "bad_body"),
        (b'{"number": true}', 400, "bad_body"),
        (b'{"number": null}', 400, "bad_body"),
        (b'{"number": [7]}', 400, "bad_body"),
        (b"[" * 4000, 400, "bad_body"),
        (b'{"number": NaN}', 422, "bad_content"),
        (b'{"number": Infinity}', 422, "bad_content"),
        (b'{"number": 1e200}', 422, "bad_content"),
        (b'{"number": 1e999}', 422, "bad_content"),
        (b'{"number": 1%s}' % (b"0" * 400), 422, "bad_content"),
        (b'{"number": 7}' + b" " * 4096, 413, "too_large"),
    ],
)
def test_compute_refuses_what_has_no_finite_square(
    server: Server, body: bytes, status: int, reason: str
) -> None:
    server.post(body, path="/compute").refused(status, reason)


def test_model_says_what_runs_here(server: Server, resnet18: Model, partition: Partition) -> None:
    answer = server.ask("GET", "/model")
    said = answer.json
    assert (answer.status, said["model"], said["weights"]) == (200, "resnet18", "random:0")
    assert bytes.fromhex(said["fingerprint"]) == resnet18.fingerprint
    assert said["classes"] == 1000
    assert said["default_split_point"] == partition.default().name
    assert said["split_points"]["layer3"] == [256, 14, 14]
    assert said["codecs"] == {codec.name: codec.id for codec in CODECS.values()}
    assert said["wire_versions"] == [1]
    assert said["preprocessing"]["crop"] == 224
    threads = said["engine"].pop("threads")
    assert said["engine"] == {"name": "torch", "precision": "float32", "device": "cpu"}
    assert threads >= 1
    assert said["limits"] == {
        "max_body_bytes": limits.MAX_FRAME_BYTES,
        "max_elements": limits.MAX_ELEMENTS,
        "max_picture_pixels": limits.MAX_ELEMENTS // 3,
        "max_profile_bytes": MAX_PROFILE_BYTES,
        "queue_capacity": 64,
        "max_batch": 8,
    }


def test_a_body_that_a_get_brings_is_ignored(server: Server) -> None:
    with server.connect() as connection:
        assert connection.ask("GET", "/model", b"x" * 5000).status == 200
        assert connection.ask("GET", "/healthz", b"x" * 5000).json == {"state": "ready"}
    assert server.is_empty()


def test_an_unknown_path_is_told_the_known_ones(server: Server) -> None:
    for path in ("/nothing", "/model/", "//", "/%ff", "/nothing?%zz"):
        assert "/readyz" in server.ask("GET", path).refused(404, "http")["error"]


@pytest.mark.parametrize(
    ("method", "path", "accepted"),
    [
        ("PUT", "/model", ["GET", "POST"]),
        ("GET", "/compute", ["POST"]),
        ("POST", "/healthz", ["GET"]),
        ("DELETE", "/metrics", ["GET"]),
        ("POST", "/profile", ["GET"]),
        ("PUT", "/profile", ["GET"]),
        ("BREW", "/model", ["GET", "POST"]),
    ],
)
def test_an_unknown_method_is_told_the_known_ones(
    server: Server, method: str, path: str, accepted: list[str]
) -> None:
    answer = server.ask(method, path, b"some body")
    assert answer.refused(405, "http")["accepted"] == accepted
    assert answer.headers["allow"] == ", ".join(accepted)


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
    for endpoint in ENDPOINTS:
        assert found[f"{prefix}request_duration_seconds_count", (("endpoint", endpoint),)] == 0
        for code in codes:
            assert found[f"{prefix}requests_total", (("code", str(code)), ("endpoint", endpoint))] == 0
    for stage in STEPS:
        assert found[f"{prefix}stage_duration_seconds_count", (("stage", stage),)] == 0
        assert found[f"{prefix}stage_cpu_seconds_total", (("stage", stage),)] == 0
    assert {error.reason for error in all_request_errors()} | {"internal"} == set(REJECTIONS)
    for reason in REJECTIONS:
        assert found[f"{prefix}rejected_total", (("reason", reason),)] == 0
    for codec in NAMES:
        assert found[f"{prefix}payload_bytes_count", (("codec", codec),)] == 0
    for name in (
        "queue_depth",
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
    assert found[f"{prefix}queue_capacity", ()] == 64
    assert found[f"{prefix}ready", ()] == 1
    assert ("process_start_time_seconds", ()) in found
    (build,) = (dict(labels) for name, labels in found if name == "splitdnn_build_info")
    assert (build["component"], build["model"], build["weights"]) == ("cloud", "resnet18", "random:0")
    assert (build["engine"], build["precision"], build["device"]) == ("torch", "float32", "cpu")


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
    counts = {stage: moved[f"{prefix}stage_duration_seconds_count", (("stage", stage),)] for stage in STEPS}
    assert counts == {"receive": 3, "decode": 3, "queue": 2, "tail": 2, "top": 1}
    cpu = {stage: moved[f"{prefix}stage_cpu_seconds_total", (("stage", stage),)] for stage in STEPS}
    assert {stage for stage, seconds in cpu.items() if seconds > 0} == {"decode", "tail", "top"}
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


@pytest.mark.parametrize("version", ["x", "1.0.0-rc.1", "", ";;==", "9" * 100])
def test_a_scraper_that_asks_for_nonsense_gets_its_metrics(server: Server, version: str) -> None:
    for kind in ("application/openmetrics-text", "text/plain"):
        answer = server.ask("GET", "/metrics", Accept=f"{kind};version={version}")
        assert answer.status == 200
        assert b"splitdnn_cloud_ready 1.0" in answer.body


def test_a_bug_is_a_500_that_tells_the_log_and_not_the_client(
    expect_log: pytest.LogCaptureFixture, monkeypatch: pytest.MonkeyPatch, pack: Any
) -> None:
    with Server() as server, server.connect() as connection:

        def broken(_split_point: str, _callers: list[np.ndarray]) -> np.ndarray:
            raise RuntimeError("secret /etc/shadow")

        with monkeypatch.context() as patch:
            patch.setattr(server.service.tails, "run", broken)
            answer = connection.ask("POST", "/model", pack(), FRAME)
        refusal = answer.refused(500, "internal")
        assert (refusal["error"], refusal["accepted"]) == ("internal error; the server's log says more", None)
        assert b"secret" not in answer.body
        assert server.metric("rejected_total", reason="internal") == 1
        until(lambda: server.metric("requests_total", endpoint="/model", code="500") == 1)
        (record,) = (record for record in expect_log.records if record.levelno >= logging.WARNING)
        assert "secret /etc/shadow" in str(record.exc_info)
        assert connection.ask("POST", "/model", pack(), FRAME).status == 200
        until(server.is_empty)
