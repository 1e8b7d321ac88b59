"""compose.tls.yaml: every way encrypted, each key in one hand, and what compose.yaml promises kept; with tokens or without."""

import re
from pathlib import Path
from typing import Any

from kits.common import ROOT
from kits.compose import compose, compose_config

from cloud.config import CloudSettings
from edge.config import EdgeSettings
from shared.process.settings import PREFIX

PLAIN, ENCRYPTED, TOKENS = compose(), compose("compose.tls.yaml"), compose("compose.tokens.yaml")
SERVICES = ENCRYPTED["services"]
PROMETHEUS_TOKEN = "/run/secrets/prometheus.token"


def prometheus(suffix: str) -> dict[str, Any]:
    return compose(f"monitoring/prometheus/prometheus{suffix}.yml")


def test_every_setting_is_one_of_its_side():
    for side, kind in (("cloud", CloudSettings), ("edge", EdgeSettings)):
        names = {name.removeprefix(PREFIX).lower() for name in SERVICES[side]["environment"]}
        assert names <= set(kind.model_fields), side
        wanted = {
            name
            for name in kind.model_fields
            if name in names
            or ("certificate" in name and not name.startswith("events_"))
            or name in ("key", "ca", "client_ca")
        }
        assert wanted <= names, side


def test_each_sees_its_own_key_alone():
    mounts = {
        name: [each for each in service["volumes"] if "/tls" in each.split(":")[1]]
        for name, service in SERVICES.items()
    }
    for name in ("cloud", "edge", "prometheus"):
        assert mounts[name] == [f"{name}-tls:/tls:ro"], name
    assert mounts["authority"] == [
        "authority:/tls",
        *(f"{name}-tls:/tls/{name}" for name in ("cloud", "edge", "prometheus")),
    ]
    assert set(ENCRYPTED["volumes"]) == {mount.split(":")[0] for found in mounts.values() for mount in found}
    dockerfile = (ROOT / "Dockerfile").read_text(encoding="utf-8")
    for mount in mounts["authority"]:
        assert f" {mount.split(':')[1]} " in dockerfile, "a volume takes its owner from the image's folder"


def test_the_authority_is_hardened_reaches_nobody_and_ends():
    service = SERVICES["authority"]
    hardened = PLAIN["services"]["bundle"]
    for key in ("init", "read_only", "cap_drop", "security_opt", "restart", "image"):
        assert service[key] == hardened[key], key
    assert {"pids_limit", "mem_limit", "logging"} <= set(service)
    assert service["network_mode"] == "none"
    for name in ("cloud", "edge", "prometheus"):
        assert SERVICES[name]["depends_on"]["authority"] == {"condition": "service_completed_successfully"}, (
            name
        )


def test_health_and_scrapes_are_encrypted():
    for side in ("cloud", "edge"):
        plain, encrypted = (each["services"][side]["healthcheck"]["test"] for each in (PLAIN, ENCRYPTED))
        assert encrypted == [word.replace("http:", "https:") for word in plain]
    plain = prometheus("")
    names = {word.split(",")[0]: word.split(",") for word in SERVICES["authority"]["command"]}
    for tokens in ("", ".tokens"):
        encrypted = prometheus(".tls" + tokens)
        for job in encrypted["scrape_configs"][:2]:
            assert job.pop("scheme") == "https"
            tls = job.pop("tls_config")
            assert tls.pop("server_name") in names
            assert tls == {"ca_file": "/tls/ca.crt", "cert_file": "/tls/tls.crt", "key_file": "/tls/tls.key"}
        assert encrypted == prometheus(tokens), "but for the encryption they are the same"
    for job in (shown := prometheus(".tokens"))["scrape_configs"]:
        # An edge would refuse a token that it does not know.
        given = job.pop("authorization", None)
        assert given == ({"credentials_file": PROMETHEUS_TOKEN} if job["job_name"] == "cloud" else None)
    assert shown == plain, "but for the token they are the same"


def test_each_override_names_its_part_of_prometheus_configuration():
    (name,) = re.findall(
        r'--config.file="/etc/prometheus/(\S+)"', PLAIN["services"]["prometheus"]["entrypoint"][2]
    )
    suffixes = {}
    for service in (SERVICES["prometheus"], TOKENS["services"]["prometheus"]):
        suffixes |= service["environment"]
    assert TOKENS["services"]["prometheus"]["secrets"] == [Path(PROMETHEUS_TOKEN).name]
    assert suffixes == {"TLS": ".tls", "TOKENS": ".tokens"}
    for tls in ("", suffixes["TLS"]):
        for tokens in ("", suffixes["TOKENS"]):
            found = name.replace("$$TLS", tls).replace("$$TOKENS", tokens)
            assert (ROOT / "monitoring/prometheus" / found).is_file(), found


def test_compose_takes_it():
    services = compose_config("compose.yaml", "compose.tls.yaml")
    assert services["prometheus"]["environment"] == {"TLS": ".tls"}
    assert services["edge"]["environment"]["SPLITDNN_CLOUD_URL"] == "https://cloud:8881"
    assert set(services["cloud"]["depends_on"]) == {"bundle", "authority"}
    targets = [volume["target"] for volume in services["prometheus"]["volumes"]]
    assert len(targets) == len(set(targets))
