"""deploy/kubernetes as kustomize makes it: every field is known, and what is named is there. What each check finds: test_kubernetes_checks.py."""

from __future__ import annotations

import json
import re

import pytest
import yaml
from kits.common import ROOT
from kits.kubernetes.checking import CHECKS
from kits.kubernetes.pods import environment
from kits.kubernetes.rendered import APPLIED, COMPONENTS, FOLDER, named, of_kind, pod_of, rendered, together
from kits.kubernetes.schemas import RELEASES, schema_problems
from kits.monitoring import DASHBOARDS, RULES

TOGETHER = (
    ("edge",),
    ("balancer", "edge"),
    ("tls",),
    ("balancer", "edge", "monitoring", "hpa", "tls"),
    ("siblings", "balancer"),
    ("gpu", "balancer", "monitoring", "keda"),
    ("balancer", "edge", "gpu", "monitoring", "hpa"),
)
"""Components that a user may take at once, in some order."""


@pytest.mark.parametrize("name", APPLIED)
def test_every_field_is_one_of_kubernetes(name):
    objects = rendered(name)
    assert len(objects) > 1
    for release in RELEASES:
        assert [problem for each in objects for problem in schema_problems(each, release)] == []


@pytest.mark.parametrize("name", APPLIED)
def test_what_is_applied_fits_together(name):
    objects = rendered(name)
    assert [problem for check in CHECKS for problem in check(objects)] == []


@pytest.mark.parametrize("components", TOGETHER)
def test_components_fit_together(components, tmp_path):
    objects = together(tmp_path, *components)
    problems = [problem for check in CHECKS for problem in check(objects)]
    problems += [problem for each in objects for problem in schema_problems(each, RELEASES[-1])]
    assert problems == []


def test_every_component_is_rendered_and_every_file_is_taken():
    taken = {name for components in TOGETHER for name in components}
    assert taken == {path.name for path in COMPONENTS.iterdir()}
    assert {f"overlays/{path.name}" for path in (FOLDER / "overlays").iterdir()} <= set(APPLIED)
    for path in FOLDER.rglob("kustomization.yaml"):
        said = path.read_text(encoding="utf-8")
        others = {each.name for each in path.parent.iterdir() if each.is_file()} - {
            path.name,
            "adapter-values.yaml",
        }
        assert {name for name in others if name not in said} == set(), path


def test_the_gpu_is_asked_for_as_in_compose():
    plain = named(rendered("base"), "Deployment", "splitdnn-cloud")
    objects = rendered("overlays/gpu")
    cloud = named(objects, "Deployment", "splitdnn-cloud")
    [container] = pod_of(cloud)["containers"]
    assert container["resources"]["limits"]["nvidia.com/gpu"] == "1"
    assert container["image"] == pod_of(plain)["containers"][0]["image"] + "-cuda"
    assert environment(objects, container)["SPLITDNN_DEVICE"] == "cuda"
    assert (
        container["resources"]["limits"]["cpu"]
        == pod_of(plain)["containers"][0]["resources"]["limits"]["cpu"]
    )


def test_a_changed_setting_rolls_the_clouds():
    """The ConfigMap's name is made of its content."""
    names = {
        each["metadata"]["name"]
        for name in ("base", "overlays/gpu")
        for each in of_kind(rendered(name), "ConfigMap")
        if each["metadata"]["name"].startswith("splitdnn-cloud-")
    }
    assert len(names) == 2
    assert all(re.fullmatch(r"splitdnn-cloud-[a-z0-9]{10}", name) for name in names)


def test_with_tls_nobody_speaks_without(tmp_path):
    """And each sees the key of its own alone."""
    objects = together(tmp_path, "balancer", "edge", "monitoring", "tls")
    told, keys = {}, {}
    for name in ("cloud", "balancer", "edge"):
        pod = pod_of(named(objects, "Deployment", f"splitdnn-{name}"))
        [container] = pod["containers"]
        told[name] = environment(objects, container)
        [volume] = [each["secret"] for each in pod["volumes"] if each["name"] == "tls"]
        keys[name] = {
            (volume["secretName"], item["key"]) for item in volume["items"] if item["key"] == "tls.key"
        }
    assert keys == {
        "cloud": {("splitdnn-cloud-tls", "tls.key")},
        "balancer": {("splitdnn-balancer-tls", "tls.key")},
        "edge": set(),
    }
    assert told["cloud"]["SPLITDNN_CERTIFICATE"]
    assert {"CERTIFICATE", "CLOUD_CA"} <= told["balancer"].keys()
    assert told["edge"]["SPLITDNN_CLOUD_URL"].startswith("https://")
    [cloud] = pod_of(named(objects, "Deployment", "splitdnn-cloud"))["containers"]
    for probe in ("startupProbe", "readinessProbe", "livenessProbe"):
        assert cloud[probe]["httpGet"]["scheme"] == "HTTPS", probe
    [endpoint] = named(objects, "PodMonitor", "splitdnn-cloud")["spec"]["podMetricsEndpoints"]
    assert endpoint["scheme"] == "https"
    services = of_kind(objects, "Service")
    assert {each["spec"]["ports"][0]["appProtocol"] for each in services} == {"https"}


def test_the_job_makes_the_network_that_the_clouds_run():
    objects = rendered("bundle")
    [container] = pod_of(named(objects, "Job", "splitdnn-bundle"))["containers"]
    *program, source, flag, folder = container["command"]
    assert program == ["python", "-m", "splitdnn", "bundle"]
    assert (source, flag) == ("resnet50", "--output")
    clouds = rendered("base")
    [cloud] = pod_of(named(clouds, "Deployment", "splitdnn-cloud"))["containers"]
    assert environment(clouds, cloud)["SPLITDNN_MODEL"] == folder
    [mount] = [each for each in container["volumeMounts"] if each["name"] == "bundles"]
    assert folder.startswith(f"{mount['mountPath']}/"), "not the volume itself, which cannot be replaced"
    assert mount in [{key: each[key] for key in ("name", "mountPath")} for each in cloud["volumeMounts"]]


def test_the_balancer_takes_the_clouds_address():
    for name, component in (("base", "cloud"), ("overlays/monitoring", "balancer")):
        one = named(rendered(name), "Service", "splitdnn-cloud")
        all_of_them = named(rendered(name), "Service", "splitdnn-clouds")
        assert one["spec"]["selector"]["app.kubernetes.io/component"] == component, name
        assert all_of_them["spec"]["selector"]["app.kubernetes.io/component"] == "cloud", name
        assert all_of_them["spec"]["clusterIP"] == "None", name


def test_rules_and_dashboards_are_those_of_monitoring():
    objects = rendered("overlays/monitoring")
    [made] = of_kind(objects, "PrometheusRule")
    rules = [rule for group in made["spec"]["groups"] for rule in group["rules"]]
    assert rules == RULES
    boards = named(objects, "ConfigMap", "splitdnn-dashboards")
    assert boards["metadata"]["labels"]["grafana_dashboard"] == "1"
    assert {name: json.loads(text) for name, text in boards["data"].items()} == DASHBOARDS


def test_the_balancers_file_is_that_of_deploy():
    objects = rendered("overlays/keda")
    [made] = [
        each
        for each in of_kind(objects, "ConfigMap")
        if each["metadata"]["name"].startswith("splitdnn-balancer-")
    ]
    assert made["data"] == {"haproxy.cfg": (ROOT / "deploy/balancer/haproxy.cfg").read_text(encoding="utf-8")}


def test_both_autoscalers_go_by_the_same_numbers():
    hpa = yaml.safe_load((COMPONENTS / "hpa/autoscaler.yaml").read_text(encoding="utf-8"))["spec"]
    keda = yaml.safe_load((COMPONENTS / "keda/scaledobject.yaml").read_text(encoding="utf-8"))["spec"]
    assert (hpa["minReplicas"], hpa["maxReplicas"]) == (keda["minReplicaCount"], keda["maxReplicaCount"])
    assert hpa["behavior"] == keda["advanced"]["horizontalPodAutoscalerConfig"]["behavior"]
    [cloud] = pod_of(named(rendered("base"), "Deployment", "splitdnn-cloud"))["containers"]
    queue, cores = (float(each["metadata"]["threshold"]) for each in keda["triggers"])
    assert queue == float(hpa["metrics"][0]["pods"]["target"]["averageValue"])
    share = hpa["metrics"][1]["resource"]["target"]["averageUtilization"] / 100
    assert cores == pytest.approx(share * float(cloud["resources"]["requests"]["cpu"]))
