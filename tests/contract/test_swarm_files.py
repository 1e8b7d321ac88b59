"""What deploy/swarm and compose.balancer.yaml promise, and what `docker stack deploy` would not take or would drop."""

from __future__ import annotations

import re
import subprocess
from typing import Any

import pytest
from kits.common import ROOT
from kits.compose import compose, compose_config

from cloud.config import CloudSettings

STACK = compose("deploy/swarm/stack.yaml")
SERVICES: dict[str, dict[str, Any]] = STACK["services"]
OURS = ("bundle", "cloud", "edge")
BALANCER = compose("compose.balancer.yaml")["services"]["balancer"]

REFUSED = {"cpu_quota", "mem_limit", "pids_limit", "cpus", "profiles", "extends", "depends_on", "gpus"}
"""Keys of a service that end the deployment with an error; `depends_on` only as a map, and it does nothing as a list."""
IGNORED = {
    "restart",
    "build",
    "security_opt",
    "container_name",
    "devices",
    "group_add",
    "network_mode",
    "links",
    "privileged",
}
"""Those of which a line is said, or none."""
TAKEN = {
    "image", "command", "environment", "init", "read_only", "cap_drop", "ulimits", "stop_grace_period", "stop_signal", "logging", "volumes",
    "secrets", "configs", "networks", "ports", "healthcheck", "deploy",
}  # fmt: skip
"""What is known to arrive."""


@pytest.mark.parametrize("name", SERVICES)
def test_every_key_of_a_service_arrives(name):
    assert not set(SERVICES[name]) & (REFUSED | IGNORED)
    assert set(SERVICES[name]) <= TAKEN


def test_what_the_stack_itself_may_not_have():
    assert "name" not in STACK
    assert "version" not in STACK, "with most of them start_interval is refused"


@pytest.mark.parametrize("name", SERVICES)
def test_tmpfs_and_ports_are_in_the_form_that_is_not_dropped(name):
    service = SERVICES[name]
    for volume in service.get("volumes", []):
        assert volume["type"] in ("tmpfs", "volume", "bind"), volume
        assert "mode" not in volume.get("tmpfs", {}), "it is dropped without a word"
    for port in service.get("ports", []):
        assert isinstance(port, dict), (
            f"{port}: an address in it is dropped, and the port is open to everybody"
        )
        assert port["mode"] == "host", "the ingress mesh hides the clients' addresses"


def test_the_balancer_alone_is_published():
    assert [name for name, service in SERVICES.items() if service.get("ports")] == ["balancer"]
    (port,) = SERVICES["balancer"]["ports"]
    assert port["target"] == 8881
    assert SERVICES["balancer"]["environment"]["CERTIFICATE"], "what is open to everybody speaks TLS"
    assert SERVICES["cloud"]["environment"]["SPLITDNN_TOKEN_FILE"] == "/run/secrets/cloud.tokens"
    assert SERVICES["cloud"]["environment"]["SPLITDNN_ANONYMOUS"] == "${SPLITDNN_ANONYMOUS-nothing}"


def test_edges_reach_clouds_through_the_balancer_alone():
    networks = {name: set(service["networks"]) for name, service in SERVICES.items()}
    assert not networks["edge"] & networks["cloud"]
    assert networks["balancer"] >= {"front", "link"}
    assert networks["balancer"] & networks["cloud"] == {"link"}, "frames take the one that can be encrypted"
    near = {name for name in SERVICES if networks[name] & networks["cloud"]}
    assert near == {"cloud", "balancer", "prometheus"}, "clouds trust them as proxies, and nobody else"
    assert "link" not in networks["prometheus"]
    assert [name for name in SERVICES if "dashboards" in networks[name]] == ["prometheus"]
    assert set().union(*networks.values()) == set(STACK["networks"])


@pytest.mark.parametrize("name", SERVICES)
def test_everything_is_limited_and_logs_rotate(name):
    service = SERVICES[name]
    limits = service["deploy"]["resources"]["limits"]
    assert {"memory", "pids"} <= set(limits)
    assert "cpus" in limits or name == "bundle"
    assert {"max-size", "max-file"} <= set(service["logging"]["options"])
    assert service["cap_drop"] == ["ALL"]
    assert service["read_only"] is True
    assert "healthcheck" in service or name == "bundle"
    if "job" not in service["deploy"].get("mode", ""):
        assert service["deploy"]["endpoint_mode"] == "dnsrr"
        assert service["deploy"]["restart_policy"]["condition"] == "any"


def test_clouds_are_updated_one_by_one_each_ready_before_another_goes():
    update = SERVICES["cloud"]["deploy"]["update_config"]
    assert (update["order"], update["parallelism"], update["failure_action"]) == (
        "start-first",
        1,
        "rollback",
    )
    grace = SERVICES["cloud"]["stop_grace_period"]
    assert int(grace.removesuffix("s")) > CloudSettings.model_fields["drain_s"].default


def test_images_and_settings_are_those_of_compose():
    for name in OURS:
        plain = compose()["services"][name]["image"]
        assert SERVICES[name]["image"] == "${SPLITDNN_REGISTRY:-}" + plain
    assert SERVICES["balancer"]["image"] == BALANCER["image"]
    version = compose()["services"]["cloud"]["image"].rpartition("-")[2].removesuffix("}")
    up = (ROOT / "deploy/swarm/up").read_text(encoding="utf-8")
    for text in (SERVICES["balancer"]["image"], re.search(r"SPLITDNN_VERSION:-(.+?)\}", up)[1]):
        assert version in text
    assert SERVICES["prometheus"]["image"] == compose()["services"]["prometheus"]["image"]


def test_no_default_holds_a_brace_as_the_first_one_would_end_it():
    text = (ROOT / "deploy/swarm/stack.yaml").read_text(encoding="utf-8")
    assert not re.findall(r"\$\{[A-Z_]+[:?+-]+[^}]*\{", text)


def test_configs_and_secrets_are_named_after_their_content_by_up():
    up = (ROOT / "deploy/swarm/up").read_text(encoding="utf-8")
    for kind in ("configs", "secrets"):
        for name, given in STACK[kind].items():
            (variable,) = re.findall(r"\$\{(HASH_[A-Z_]+)\}$", given["name"])
            file = given["file"].replace("${SPLITDNN_SECRETS_DIR}", "$secrets").replace("../../", "")
            file = file.replace("../", "deploy/")
            file = f"deploy/swarm/{file}" if "/" not in file else file
            assert re.search(rf'^{variable}=\$\(hash_of "?{re.escape(file)}"?\)$', up, re.MULTILINE), name
            if not file.startswith("$"):
                assert (ROOT / file).is_file()
        used = {each["source"] for service in SERVICES.values() for each in service.get(kind, [])}
        assert used == set(STACK[kind])


def test_prometheus_asks_every_task():
    ours = {job["job_name"]: job for job in compose("deploy/swarm/prometheus.yml")["scrape_configs"]}
    ports = {"cloud": 8881, "edge": 8882, "balancer": 8404}
    for name, port in ports.items():
        (found,) = ours[name]["dns_sd_configs"]
        assert (found["names"], found["type"], found["port"]) == ([f"tasks.{name}"], "A", port)
        assert set(SERVICES[name]["networks"]) & set(SERVICES["prometheus"]["networks"]), name
    there = compose("monitoring/prometheus/prometheus.tokens.yml")
    assert ours["cloud"]["authorization"] == there["scrape_configs"][0]["authorization"]
    assert compose("deploy/swarm/prometheus.yml")["rule_files"] == there["rule_files"]


@pytest.mark.parametrize("name", ["up", "down"])
def test_the_scripts_are_whole(name):
    path = ROOT / "deploy" / "swarm" / name
    assert path.stat().st_mode & 0o111
    assert subprocess.run(["bash", "-n", path], check=False).returncode == 0


def test_behind_the_balancer_no_cloud_is_published_and_no_edge_reaches_one():
    services = compose_config("compose.yaml", "compose.balancer.yaml")
    assert "ports" not in services["cloud"]
    assert [port["host_ip"] for port in services["balancer"]["ports"]] == ["127.0.0.1"]
    assert not set(services["edge"]["networks"]) & set(services["cloud"]["networks"])
    assert services["edge"]["environment"]["SPLITDNN_CLOUD_URL"] == "http://balancer:8881"
    for key in ("read_only", "cap_drop", "security_opt", "pids_limit", "mem_limit", "healthcheck"):
        assert services["balancer"].get(key), key


def test_up_reads_a_file_of_settings_as_compose_does(tmp_path):
    (tmp_path / "deploy" / "swarm").mkdir(parents=True)
    up = tmp_path / "deploy" / "swarm" / "up"
    up.write_bytes((ROOT / "deploy" / "swarm" / "up").read_bytes())
    docker = tmp_path / "docker"  # says what it was given; then there is no swarm, which ends it
    docker.write_text(f"#!/bin/sh\nenv > {tmp_path}/given\n")
    docker.chmod(0o755)
    (tmp_path / ".env").write_text(
        "# a comment\nSPLITDNN_LABELS=a=b=\nSPLITDNN_NAME=\"two words\"\nSPLITDNN_SEED=1\nSPLITDNN_WEIGHTS='x'\nSPLITDNN_MODEL=last"
    )
    environment = {"PATH": f"{tmp_path}:/usr/bin:/bin", "SPLITDNN_SEED": "2"}
    done = subprocess.run(
        ["bash", str(up)], env=environment, capture_output=True, text=True, check=False, timeout=60
    )
    assert "this machine manages no swarm" in done.stderr
    given = set((tmp_path / "given").read_text().splitlines())
    assert given >= {
        "SPLITDNN_LABELS=a=b=", "SPLITDNN_NAME=two words", "SPLITDNN_SEED=2", "SPLITDNN_WEIGHTS=x", "SPLITDNN_MODEL=last",
    }  # fmt: skip


@pytest.mark.parametrize(
    ("line", "stack"), [("SPLITDNN_STACK='mine'", "mine"), ("SPLITDNN_STACK=", "splitdnn"), ("", "splitdnn")]
)
def test_down_takes_the_stack_that_up_has_named(tmp_path, line, stack):
    (tmp_path / "deploy" / "swarm").mkdir(parents=True)
    down = tmp_path / "deploy" / "swarm" / "down"
    down.write_bytes((ROOT / "deploy" / "swarm" / "down").read_bytes())
    docker = tmp_path / "docker"
    docker.write_text(f'#!/bin/sh\n[ "$1" != stack ] || echo "$@" > {tmp_path}/given\n')
    docker.chmod(0o755)
    (tmp_path / ".env").write_text(f"SPLITDNN_SEED=1\n{line}\n")
    for environment, removed in (({}, stack), ({"SPLITDNN_STACK": "shell"}, "shell")):
        path = {"PATH": f"{tmp_path}:/usr/bin:/bin"}
        subprocess.run(["bash", str(down)], env=environment | path, check=True, timeout=60)
        assert (tmp_path / "given").read_text() == f"stack rm {removed}\n"
