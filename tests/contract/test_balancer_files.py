"""What the files of deploy/balancer promise: patience, limits and health that fit the clouds', and what their own checkers let pass."""

from __future__ import annotations

import re
import subprocess
from typing import Any

import pytest
from kits import balancer
from kits.common import ROOT
from kits.compose import compose

from cloud.config import CloudSettings
from cloud.frames.sessions.socket import PING_S
from shared.limits import MAX_PROFILE_BYTES
from shared.wire.profile import SLACK_S, transfer_s

HAPROXY = {
    name: (ROOT / "deploy" / "balancer" / name).read_text(encoding="utf-8")
    for name in ("haproxy.cfg", "haproxy-passed.cfg")
}
ENVOY = compose("deploy/balancer/envoy.yaml")
SERVICES = [
    compose(name)["services"]["balancer"] for name in ("deploy/swarm/stack.yaml", "compose.balancer.yaml")
]


def seconds(text: str) -> float:
    number, unit = re.fullmatch(r"([\d.]+)(ms|s|m|h)", text).groups()
    return float(number) * {"ms": 1e-3, "s": 1, "m": 60, "h": 3600}[unit]


def timeouts(file: str) -> dict[str, float]:
    return {
        name: seconds(value)
        for name, value in re.findall(r"^    timeout ([\w-]+) (\w+)", HAPROXY[file], re.MULTILINE)
    }


def default_of(name: str) -> float:
    return float(CloudSettings.model_fields[name].default)


def test_a_session_s_connection_outlives_the_pauses_between_two_pings():
    assert timeouts("haproxy.cfg")["tunnel"] > 2 * PING_S
    assert timeouts("haproxy-passed.cfg")["client"] > 2 * PING_S
    text = (ROOT / "deploy/balancer/envoy.yaml").read_text(encoding="utf-8")
    (route,) = re.findall(r"match: \{ path: /session \}\n\s+route: \{(.*)\}", text)
    (idle,) = re.findall(r"idle_timeout: (\w+)", route)
    assert seconds(idle) > 2 * PING_S
    assert " timeout: 0s" in route
    assert "upgrade_configs: [{ upgrade_type: websocket }]" in text


def test_haproxy_is_more_patient_than_the_clouds():
    found = timeouts("haproxy.cfg")
    assert min(found["client"], found["server"]) > default_of("request_timeout_s")
    assert found["http-keep-alive"] > default_of("idle_timeout_s")
    bodies = re.findall(r"wait-for-body time (\w+) if (.*)$", HAPROXY["haproxy.cfg"], re.MULTILINE)
    assert {rule: seconds(text) for text, rule in bodies} == {
        "METH_POST": default_of("request_timeout_s"),
        "{ method PUT }": transfer_s(MAX_PROFILE_BYTES) + SLACK_S,
    }
    assert min(timeouts("haproxy-passed.cfg")[side] for side in ("client", "server")) > default_of(
        "idle_timeout_s"
    )
    for file, text in HAPROXY.items():
        (stop,) = re.findall(r"hard-stop-after (\w+)", text)
        assert seconds(stop) > default_of("request_timeout_s"), file
        for service in SERVICES:
            assert seconds(service["stop_grace_period"]) > seconds(stop), file


def test_bodies_and_connections_have_the_clouds_limits():
    most, connections = int(default_of("max_body_bytes")), int(default_of("client_connections"))
    assert f'"${{SPLITDNN_MAX_BODY_BYTES-{most}}}"' in HAPROXY["haproxy.cfg"]
    assert f"local MAX_BODY_BYTES = {most} " in lua()
    for text in HAPROXY.values():
        assert f"sc0_conn_cur gt {connections} " in text
        assert f"maxconn {int(default_of('max_connections'))}" in text


def test_haproxys_files_differ_in_what_they_can_see_only():
    def lines(file: str, section: str) -> set[str]:
        found = re.search(rf"^{section}\n(.*?)(?=^\S|\Z)", HAPROXY[file], re.MULTILINE | re.DOTALL)[1]
        return {line.partition("#")[0].strip() for line in found.splitlines()} - {""}

    for section in ("resolvers dns", "backend clients"):
        assert lines("haproxy.cfg", section) == lines("haproxy-passed.cfg", section)
    assert lines("haproxy.cfg", "frontend metrics") < lines("haproxy-passed.cfg", "frontend metrics")


@pytest.mark.skipif(not balancer.HAPROXY, reason="no haproxy here")
@pytest.mark.parametrize("file", HAPROXY)
def test_haproxy_takes_its_files(file, tmp_path):
    (tmp_path / "file.cfg").write_text(balancer.haproxy_text(file, [8881, 8882]))
    for path in (ROOT / "deploy" / "balancer" / file, tmp_path / "file.cfg"):
        ca = subprocess.run(
            ["find", "/etc/ssl/certs", "-name", "ca-certificates.crt"],
            capture_output=True,
            text=True,
            check=True,
        )
        if "passed" in file and not ca.stdout:
            pytest.skip("no CA here")
        done = subprocess.run(
            [balancer.HAPROXY, "-c", "-f", path], env={"CLOUD_CA": ca.stdout.strip()} if "passed" in file else {},
            capture_output=True, text=True, check=False,
        )  # fmt: skip
        assert done.returncode == 0, done.stderr
        assert "WARNING" not in done.stderr


def routes() -> list[dict[str, Any]]:
    (listener,) = ENVOY["static_resources"]["listeners"]
    (chain,) = listener["filter_chains"]
    (manager,) = chain["filters"]
    (host,) = manager["typed_config"]["route_config"]["virtual_hosts"]
    return host["routes"]


def lua() -> str:
    (listener,) = ENVOY["static_resources"]["listeners"]
    filters = listener["filter_chains"][0]["filters"][0]["typed_config"]["http_filters"]
    return filters[0]["typed_config"]["default_source_code"]["inline_string"]


def test_envoys_words_are_known_where_envoy_itself_does_not_look():
    """`--mode validate` passes a misspelt retry_on, a port 0 and a health path without a slash."""
    policies = [route["route"].get("retry_policy") for route in routes()]
    assert policies[-1] is None, "what is not named is not repeated"
    for policy in policies[:-1]:
        assert policy["retry_on"].split(",") == ["connect-failure", "reset", "retriable-status-codes"]
        assert policy["retriable_status_codes"] == [503]
    (cluster,) = ENVOY["static_resources"]["clusters"]
    (check,) = cluster["health_checks"]
    assert check["http_health_check"]["path"] == "/readyz"
    assert seconds(check["no_traffic_interval"]) == seconds(check["interval"]) == 0.5
    assert {route["route"]["cluster"] for route in routes()} == {cluster["name"]}
    addresses = re.findall(
        r"address: ([\w.]+), port_value: (\d+)",
        (ROOT / "deploy/balancer/envoy.yaml").read_text(encoding="utf-8"),
    )
    assert sorted(addresses) == [("0.0.0.0", "8881"), ("127.0.0.1", "9901"), ("cloud", "8881")]


def test_envoy_is_more_patient_than_the_clouds_and_repeats_what_haproxy_does():
    limits = {seconds(each["route"]["timeout"]) for each in routes()}
    assert min(limits - {0}) > default_of("request_timeout_s"), "0: none, for a session, which has no end"
    (whole,) = re.findall(
        r"\brequest_timeout: (\w+)", (ROOT / "deploy/balancer/envoy.yaml").read_text(encoding="utf-8")
    )
    assert seconds(whole) > transfer_s(MAX_PROFILE_BYTES) + SLACK_S
    (cluster,) = ENVOY["static_resources"]["clusters"]
    assert f"tune.bufsize {cluster['per_connection_buffer_limit_bytes']}\n" in HAPROXY["haproxy.cfg"]
    policy = cluster["load_balancing_policy"]["policies"][0]["typed_extension_config"]["typed_config"]
    assert policy["selection_method"] == "FULL_SCAN", "else it compares two of them"
