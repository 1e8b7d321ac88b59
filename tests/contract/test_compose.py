"""What compose.yaml, the Dockerfiles and .env.example promise: limits, names, and nothing open to the world."""

import re
from pathlib import Path

import pytest
from kits.common import ROOT
from kits.compose import compose, compose_config

from cloud.config import CloudSettings
from edge.config import EdgeSettings
from shared.process.settings import PREFIX, CommonSettings

OURS = ("edge", "cloud", "bundle")
SIDES = ("edge", "cloud")
SETTINGS = {"edge": EdgeSettings, "cloud": CloudSettings}
OVERRIDES = (
    "compose.balancer.yaml",
    "compose.gpu.yaml",
    "compose.webcam.yaml",
    "compose.edges.yaml",
    "compose.tokens.yaml",
)


SERVICES = compose()["services"]


# ------------------------------------------------------------------------------------------------------ containers


@pytest.mark.parametrize("side", OURS)
def test_our_containers_are_hardened(side):
    service = SERVICES[side]
    assert service["init"] is True
    assert service["read_only"] is True
    assert service["tmpfs"][0].startswith("/tmp")
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert service["restart"] == ("no" if side == "bundle" else "unless-stopped")
    assert {"pids_limit", "mem_limit", "cpu_quota"} <= set(service)
    assert not {"privileged", "cap_add", "devices", "network_mode", "pid"} & set(service)


@pytest.mark.parametrize("name", SERVICES)
def test_every_container_has_limits_and_rotating_logs(name):
    service = SERVICES[name]
    assert service["cap_drop"] == ["ALL"]
    assert service["security_opt"] == ["no-new-privileges:true"]
    assert {"pids_limit", "mem_limit"} <= set(service)
    assert {"max-size", "max-file"} <= set(service["logging"]["options"])


def test_the_cloud_may_drain_before_it_is_killed():
    grace = SERVICES["cloud"]["stop_grace_period"]
    assert grace.endswith("s")
    assert int(grace[:-1]) > CloudSettings.model_fields["drain_s"].default


@pytest.mark.parametrize("name", SERVICES)
def test_no_container_has_a_fixed_name_or_it_could_not_be_scaled(name):
    assert "container_name" not in SERVICES[name]


def test_what_is_published_is_published_on_loopback_only():
    published = {name: service.get("ports", []) for name, service in SERVICES.items()}
    assert {name for name, ports in published.items() if ports} == {"cloud", "edge", "prometheus", "grafana"}
    assert all(port.startswith("127.0.0.1:") for ports in published.values() for port in ports)


def test_what_is_open_without_a_token_is_said_and_tokens_close_it():
    assert SERVICES["cloud"]["environment"]["SPLITDNN_ANONYMOUS"] == "${SPLITDNN_ANONYMOUS-all}"
    status = "SPLITDNN_STATUS_ANONYMOUS"
    assert SERVICES["edge"]["environment"][status] == f"${{{status}-metrics,page}}"
    tokens = compose("compose.tokens.yaml")
    assert tokens["services"]["edge"]["environment"][status] == f"${{{status}-metrics}}"
    cloud, edge = tokens["services"]["cloud"], tokens["services"]["edge"]
    assert cloud["environment"]["SPLITDNN_ANONYMOUS"] == "${SPLITDNN_ANONYMOUS-nothing}"
    for name, service, variable in (("cloud", cloud, "TOKEN_FILE"), ("edge", edge, "CLOUD_TOKEN_FILE")):
        (secret,) = service["secrets"]
        assert service["environment"][f"SPLITDNN_{variable}"] == f"/run/secrets/{secret}", name
    for name, secret in tokens["secrets"].items():
        assert secret == {"file": f"${{SPLITDNN_SECRETS_DIR:-./secrets}}/{name}"}, name
    given = [secret for service in tokens["services"].values() for secret in service["secrets"]]
    assert sorted(given) == sorted(tokens["secrets"]), "each is seen by one service alone"
    assert "/secrets/" in (ROOT / ".gitignore").read_text(encoding="utf-8").splitlines()


def test_images_are_pinned():
    for service in SERVICES.values():
        ours = re.fullmatch(r"[\w-]+:\$\{SPLITDNN_VERSION:-\d+\.\d+\.\d+\}", service["image"])
        theirs = re.fullmatch(r"\$\{SPLITDNN_[A-Z]+_IMAGE:-[\w./-]+:v?\d+\.\d+\.\d+\}", service["image"])
        assert ours or theirs, service["image"]


@pytest.mark.parametrize("side", SIDES)
def test_health_is_asked_by_python_as_the_images_have_no_curl(side):
    check = SERVICES[side]["healthcheck"]
    assert check["test"][:4] == ["CMD", "python", "-m", "shared.process.healthcheck"]
    assert "start_interval" in check
    port = SETTINGS[side].model_fields["port" if side == "cloud" else "status_port"].default
    assert f":{port}/" in check["test"][4]


def test_edge_and_cloud_share_one_network_and_prometheus_reaches_both():
    networks = {name: set(service["networks"]) for name, service in SERVICES.items()}
    assert networks["edge"] & networks["cloud"] == {"link"}
    for side in SIDES:
        assert (networks[side] - {"link"}) & networks["prometheus"], (
            "cutting the link must not blind Prometheus"
        )
    assert networks["grafana"] & networks["prometheus"]
    assert set.union(*networks.values()) == set(compose()["networks"])


def test_what_is_mounted_from_the_repository_exists():
    sources = [volume.split(":")[0] for service in SERVICES.values() for volume in service.get("volumes", [])]
    mounted = [source for source in sources if source.startswith("./")]
    assert mounted
    for source in mounted:
        assert (ROOT / source).is_dir(), source
    home = SERVICES["grafana"]["environment"]["GF_DASHBOARDS_DEFAULT_HOME_DASHBOARD_PATH"]
    assert (ROOT / "monitoring/grafana/dashboards" / Path(home).name).is_file()


def test_scrape_ports_are_the_containers():
    jobs = {job["job_name"]: job for job in compose("monitoring/prometheus/prometheus.yml")["scrape_configs"]}
    assert jobs["cloud"]["dns_sd_configs"][0]["port"] == int(
        SERVICES["cloud"]["environment"]["SPLITDNN_PORT"]
    )
    assert jobs["edge"]["dns_sd_configs"][0]["port"] == int(
        SERVICES["edge"]["environment"]["SPLITDNN_STATUS_PORT"]
    )


def test_the_gpu_is_asked_for_in_its_own_file_only():
    assert "deploy" not in SERVICES["cloud"]
    gpu = compose("compose.gpu.yaml")["services"]
    assert set(gpu) == {"bundle", "cloud"}
    (device,) = gpu["cloud"]["deploy"]["resources"]["reservations"]["devices"]
    assert device["capabilities"] == ["gpu"]
    for service in gpu.values():
        assert service["build"]["args"]["TORCH_CUDA"] == "1", "both are built from the same layers"


# ---------------------------------------------------------------------------------------------- making the bundle


def test_a_bundle_is_there_before_anything_reads_it():
    for side in SIDES:
        assert SERVICES[side]["depends_on"]["bundle"] == {"condition": "service_completed_successfully"}, side
    assert "depends_on" not in SERVICES["bundle"]


def test_the_making_of_a_bundle_ends():
    """Restarting it would hide a failure, and delay what waits for it."""
    assert SERVICES["bundle"]["restart"] == "no"
    assert "healthcheck" not in SERVICES["bundle"]
    assert "command" not in SERVICES["bundle"], "the image's own"


def test_all_three_name_one_network_in_one_cache():
    common = {f"{PREFIX}{name.upper()}" for name in CommonSettings.model_fields}
    for side in OURS:
        assert common <= set(SERVICES[side]["environment"]), side
        caches = ("/bundles", "/bundles") if side == "bundle" else ("/cache", "/bundles")
        environment = SERVICES[side]["environment"]
        assert (environment["SPLITDNN_CACHE_DIR"], environment["SPLITDNN_BUNDLES_DIR"]) == caches, side
    for target in ("/weights/local:ro", "/media:ro"):
        mounted = {
            volume for side in OURS for volume in SERVICES[side]["volumes"] if volume.endswith(f":{target}")
        }
        assert len(mounted) == 1, f"{target}: the key in the cache is made of the files that are seen"
        assert all(mounted <= set(SERVICES[side]["volumes"]) for side in OURS), target


def test_a_volume_is_written_by_one_service_alone():
    """What takes what strangers send cannot change what another one runs."""
    writers = {}
    for name, service in SERVICES.items():
        for volume in service.get("volumes", []):
            source, _, rest = volume.partition(":")
            if not rest.endswith(":ro"):
                writers.setdefault(source, []).append(name)
    assert writers == {
        "weights": ["bundle"],
        "converted": ["bundle"],
        "cloud-cache": ["cloud"],
        "edge-cache": ["edge"],
        "results": ["edge"],
        "prometheus": ["prometheus"],
        "grafana": ["grafana"],
    }
    for side in SIDES:
        assert "converted:/bundles:ro" in SERVICES[side]["volumes"]


def test_only_what_has_torch_sees_the_fetched_weights():
    fetched = "weights:/weights/cache"
    assert {name for name, service in SERVICES.items() if fetched in service.get("volumes", [])} == {"bundle"}
    assert compose("compose.gpu.yaml")["services"]["cloud"]["volumes"] == [fetched]


# ------------------------------------------------------------------------------------------------------ Compose itself


@pytest.mark.parametrize("override", OVERRIDES)
def test_overrides_fit(override):
    compose_config("compose.yaml", override)


def test_the_gpu_override_leaves_the_edge_alone():
    plain, gpu = compose_config("compose.yaml"), compose_config("compose.yaml", "compose.gpu.yaml")
    assert plain["edge"] == gpu["edge"]
    assert plain["cloud"]["build"]["target"] == "cloud"
    assert gpu["cloud"]["build"]["target"] == "cloud-torch"
    assert {volume["target"] for volume in gpu["cloud"]["volumes"]} == {
        "/bundles", "/cache", "/media", "/weights/cache", "/weights/local",
    }  # fmt: skip
    assert gpu["bundle"]["build"]["args"] == gpu["cloud"]["build"]["args"]
    assert gpu["cloud"]["image"] != plain["cloud"]["image"]
    assert gpu["cloud"]["environment"]["SPLITDNN_DEVICE"] == "cuda"
    assert gpu["cloud"]["build"]["args"]["VERSION"] == plain["cloud"]["build"]["args"]["VERSION"]


def test_settings_arrive_as_they_stand_in_the_shell():
    unset = compose_config("compose.yaml")["edge"]["environment"]
    assert unset["SPLITDNN_SPLIT_POINT"] is None
    assert unset["SPLITDNN_RESULTS"] == "/results/{camera}.jsonl"
    given = compose_config("compose.yaml", env={"SPLITDNN_SPLIT_POINT": "layer2", "SPLITDNN_RESULTS": ""})
    assert given["edge"]["environment"]["SPLITDNN_SPLIT_POINT"] == "layer2"
    assert given["edge"]["environment"]["SPLITDNN_RESULTS"] == ""
    assert given["cloud"]["environment"]["SPLITDNN_SPLIT_POINT"] == "layer2"
