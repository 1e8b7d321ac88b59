"""Several edges on one machine: found whatever they are called, with bounded records, and settings that arrive as they are written."""

import re

from kits.common import ROOT
from kits.compose import compose, compose_config

from edge.config import EdgeSettings

SERVICES = compose()["services"]


def test_prometheus_finds_every_edge_by_an_alias():
    """A service's own name is not known to it."""
    jobs = {job["job_name"]: job for job in compose("monitoring/prometheus/prometheus.yml")["scrape_configs"]}
    (alias,) = SERVICES["edge"]["networks"]["edge-side"]["aliases"]
    assert jobs["edge"]["dns_sd_configs"][0]["names"] == [alias]
    assert alias not in SERVICES
    more = compose("compose.edges.yaml")["services"]
    assert all(each["extends"] == {"file": "compose.yaml", "service": "edge"} for each in more.values())
    names = [each["environment"]["SPLITDNN_NAME"] for each in more.values()]
    assert len({*names, EdgeSettings.model_fields["name"].default}) == len(names) + 1


def test_records_are_bounded_and_nobody_but_the_edge_sees_the_cameras():
    environment = SERVICES["edge"]["environment"]
    for name in ("MAX_BYTES", "MAX_AGE_S", "KEEP"):
        value = re.fullmatch(r"\$\{[A-Z_]+:-(\d+)\}", environment[f"SPLITDNN_RESULTS_{name}"])
        assert value, name
        assert int(value[1]) > 0, name
    assert "hostname" not in environment["SPLITDNN_RESULTS"], (
        "files of earlier containers would go by their age only"
    )
    seeing = [
        name for name, each in SERVICES.items() if any("/cameras" in one for one in each.get("volumes", []))
    ]
    assert seeing == ["edge"]


def test_the_edge_is_healthy_once_it_has_seen_its_cameras():
    assert SERVICES["edge"]["healthcheck"]["test"][-1].endswith("/readyz")


def test_more_edges_are_edges_like_the_first():
    services = compose_config("compose.yaml", "compose.edges.yaml")
    for name in compose("compose.edges.yaml")["services"]:
        assert services[name]["networks"] == services["edge"]["networks"], name
        assert services[name]["volumes"] == services["edge"]["volumes"], name
        assert services[name]["depends_on"] == services["edge"]["depends_on"], name
        assert services[name]["environment"]["SPLITDNN_NAME"] == name


def test_a_dollar_arrives_as_env_example_says(tmp_path):
    example = (ROOT / ".env.example").read_text(encoding="utf-8")
    (line,) = re.findall(r"^# +(SPLITDNN_SOURCE='.*')$", example, flags=re.MULTILINE)
    file = tmp_path / "env"
    file.write_text(f"{line}\nSPLITDNN_NAME='gate #1'\n")
    environment = compose_config("compose.yaml", env_file=str(file))["edge"]["environment"]
    # As `docker compose config` shows it, to be read again: each $ is doubled.
    assert environment["SPLITDNN_SOURCE"].replace("$$", "$") == line.partition("=")[2].strip("'")
    assert environment["SPLITDNN_NAME"] == "gate #1"
