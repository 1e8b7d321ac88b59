"""The edge's own `/metrics`, `/healthz` and `/readyz`."""

from __future__ import annotations

import asyncio
import gc
import json
import socket

import aiohttp
import pytest
from kits.certificates import Certificates
from kits.edge import FakeSource, Run, pictures
from prometheus_client.openmetrics.parser import text_string_to_metric_families as parse_openmetrics
from prometheus_client.parser import text_string_to_metric_families as parse_text

from edge.config import EdgeSettings
from edge.metrics import CIRCUIT_STATES, FALLBACKS, OUTCOMES, QUEUES, STEPS, EdgeMetrics
from edge.output.status import serve_status, status_tls
from shared.codecs import NAMES
from shared.errors import SettingsError, StartupError
from shared.security.gate import Gate
from shared.security.rights import GROUPS
from shared.security.tls.context import TLSFiles, client_context
from shared.security.tls.handshakes import Handshakes

EVERYBODY = Gate(None, GROUPS["all"])


def ask(metrics, path, method="GET", gate=None, *, tls=None, trust=None, clouds=list, **headers):
    async def go():
        server, port = serve_status(
            metrics.registry,
            lambda: metrics.state,
            metrics.unseen,
            "127.0.0.1",
            0,
            gate or EVERYBODY,
            tls=tls,
            handshakes=Handshakes(metrics.handshakes),
            clouds=clouds,
        )
        scheme = "https" if trust else "http"
        try:
            connector = aiohttp.TCPConnector(force_close=True, ssl=trust or True)
            async with (
                aiohttp.ClientSession(connector=connector) as session,
                session.request(method, f"{scheme}://127.0.0.1:{port}{path}", headers=headers) as response,
            ):
                return response.status, response.headers["Content-Type"], await response.text()
        finally:
            server.stop()
            await server.close_all_connections()

    return asyncio.run(go())


def samples(text, parse=parse_text):
    return {
        (sample.name, tuple(sorted(sample.labels.items()))): sample.value
        for family in parse(text)
        for sample in family.samples
    }


def test_metrics_parse_and_show_what_happened():
    run = Run(FakeSource(pictures(3)))
    run.to_end()
    status, content_type, text = ask(run.metrics, "/metrics")
    assert status == 200
    assert content_type.startswith("text/plain")
    found = samples(text)
    assert found["splitdnn_edge_frames_total", (("camera", "camera"), ("outcome", "cloud"))] == 3
    assert (
        found[
            "splitdnn_edge_plan_info", (("camera", "camera"), ("codec", "float32"), ("split_point", "relu"))
        ]
        == 1
    )
    assert found["splitdnn_edge_queue_depth", (("queue", "send"),)] == 0


def test_every_label_value_is_there_from_the_start():
    """A counter that appears with its first event hides that event from rate()."""
    found = samples(ask(EdgeMetrics(["gate", "yard"]), "/metrics")[2])
    for name, label, values in (
        ("frames_total", "outcome", OUTCOMES),
        ("fallbacks_total", "reason", FALLBACKS),
        ("queue_depth", "queue", QUEUES),
        ("queue_capacity", "queue", QUEUES),
        ("circuit_state", "state", CIRCUIT_STATES),
        ("stage_duration_seconds_count", "stage", STEPS),
        ("payload_bytes_count", "codec", NAMES),
        *(
            (name, "camera", ("gate", "yard"))
            for name in (
                *("frames_total", "fallbacks_total", "plan_switches_total", "frame_latency_seconds_count"),
                *("source_up", "source_reconnects_total", "last_frame_timestamp_seconds", "camera_running"),
                *("undecodable_total", "damaged_frames_total"),
                *("predicted_latency_seconds", "measured_latency_seconds"),
            )
        ),
    ):
        mine = [dict(labels) for found_name, labels in found if found_name == f"splitdnn_edge_{name}"]
        assert {labels[label] for labels in mine} == set(values), name
    ours = {name for name, _ in found if name.startswith("splitdnn")}
    assert not [name for name in ours if name.endswith("_created")]


def test_openmetrics_for_those_who_ask_for_it():
    accept = "application/openmetrics-text; version=1.0.0"
    status, content_type, text = ask(EdgeMetrics(), "/metrics", Accept=accept)
    assert status == 200
    assert content_type.startswith("application/openmetrics-text")
    assert samples(text, parse_openmetrics)["splitdnn_edge_uplink_bytes_total", ()] == 0


def test_metrics_of_two_edges_in_one_process_do_not_meet():
    first, second = EdgeMetrics(), EdgeMetrics()
    first.uplink_bytes.inc(7)
    assert samples(ask(second, "/metrics")[2])["splitdnn_edge_uplink_bytes_total", ()] == 0


@pytest.mark.parametrize("state", ["starting", "running", "finished"])
def test_health_says_the_state(state):
    metrics = EdgeMetrics()
    assert metrics.state == "starting"
    metrics.state = state
    status, content_type, text = ask(metrics, "/healthz")
    assert (status, text) == (200, f'{{"state": "{state}"}}')
    assert content_type.startswith("application/json")


def test_ready_is_an_edge_that_has_seen_every_camera():
    metrics = EdgeMetrics(["yard", "door"])
    for state, seen, expected in (
        ("starting", None, (503, {"ready": False, "state": "starting", "waiting_for": ["door", "yard"]})),
        ("running", "door", (503, {"ready": False, "state": "running", "waiting_for": ["yard"]})),
        ("running", "yard", (200, {"ready": True, "state": "running", "waiting_for": []})),
        ("finished", None, (200, {"ready": True, "state": "finished", "waiting_for": []})),
    ):
        metrics.state = state
        metrics.unseen.discard(seen)
        status, content_type, text = ask(metrics, "/readyz")
        assert (status, json.loads(text)) == expected, (state, seen)
        assert content_type.startswith("application/json")


def test_not_ready_while_the_network_is_loaded():
    assert ask(EdgeMetrics(), "/readyz")[0] == 503


def test_a_frame_makes_its_camera_seen():
    run = Run(FakeSource(pictures(1)))
    assert run.metrics.unseen == {"camera"}
    run.to_end()
    assert not run.metrics.unseen


@pytest.mark.parametrize("path", ["/", "/metrics/", "/model", "/%00"])
@pytest.mark.parametrize("method", ["GET", "POST"])
def test_any_other_path_names_those_there_are(path, method):
    status, _, text = ask(EdgeMetrics(), path, method)
    assert (status, text) == (404, '{"error": "no such path; known: /metrics, /clouds, /healthz, /readyz"}')


def test_head_is_answered_wherever_get_is():
    for path, expected in {"/metrics": 200, "/healthz": 200, "/readyz": 503, "/nothing": 404}.items():
        status, content_type, text = ask(EdgeMetrics(), path, "HEAD")
        assert (status, content_type, text) == (expected, ask(EdgeMetrics(), path)[1], ""), path


def refusal(address, port):
    async def go():
        serve_status(EdgeMetrics().registry, str, (), address, port, EVERYBODY)

    try:
        asyncio.run(go())
    except StartupError as error:
        return str(error)
    finally:
        gc.collect()  # Tornado leaves the socket that it could not bind to the garbage collector
    return None


left_by_tornado = pytest.mark.filterwarnings("ignore:unclosed <socket:ResourceWarning")


@left_by_tornado
def test_a_port_that_is_taken():
    with socket.create_server(("127.0.0.1", 0)) as other:
        port = other.getsockname()[1]
        message = refusal("127.0.0.1", port)
    assert message.startswith(f"cannot listen on 127.0.0.1:{port} for /metrics: ")
    assert message.endswith("choose another --status-port (0 takes a free one)")
    assert "\n" not in message


@left_by_tornado
@pytest.mark.parametrize("address", ["192.0.2.1", "2001:db8::1"])
def test_an_address_that_is_not_ours(address):
    message = refusal(address, 0)
    assert message.startswith(f"cannot listen on {address}:0 for /metrics: ")
    assert "\n" not in message


def test_with_a_certificate_it_speaks_tls_only(tmp_path):
    made = Certificates.at(tmp_path)
    given = {"status_certificate": made.path("edge", "tls.crt"), "status_key": made.path("edge", "tls.key")}
    metrics = EdgeMetrics()
    assert status_tls(EdgeSettings(), metrics) is None
    tls = status_tls(EdgeSettings(**given), metrics)
    trust = client_context(TLSFiles(authority=made.path("edge", "ca.crt")))
    status, _, text = ask(metrics, "/metrics", tls=tls, trust=trust)
    assert status == 200
    found = samples(text)
    assert found["splitdnn_edge_handshakes_total", (("result", "complete"),)] == 1
    expiry = found["splitdnn_edge_certificate_expiry_timestamp_seconds", (("certificate", "status"),)]
    assert expiry == made.files("edge").expiry()
    with pytest.raises((aiohttp.ClientError, ConnectionError)):
        ask(metrics, "/metrics", tls=tls)
    with pytest.raises(SettingsError, match="--status-key /nowhere: No such file"):
        status_tls(EdgeSettings(**given | {"status_key": "/nowhere"}), metrics)


def test_what_is_known_of_the_clouds():
    said = [{"cloud": "http://a", "state": "closed"}, {"cloud": "http://b", "state": "open"}]
    status, kind, text = ask(EdgeMetrics(), "/clouds", clouds=lambda: said)
    assert (status, kind) == (200, "application/json; charset=UTF-8")
    assert json.loads(text) == {"clouds": said}
