"""The schemas of deploy/kubernetes are strict, and the other tools of its checks are right."""

import copy
import runpy
import shutil

import pytest
from kits.common import ROOT
from kits.kubernetes.pods import check_containers
from kits.kubernetes.rendered import FOLDER, everything, named, objects_of, pod_of, rendered, selects, text_of
from kits.kubernetes.scaling import adapter_rules, check_autoscalers, check_metrics, query_problems
from kits.kubernetes.schemas import CUSTOM, RELEASES, schema_problems
from kits.kubernetes.values import quantity

SCRIPT = runpy.run_path(str(ROOT / "scripts" / "prometheus_rule.py"))


def put(found, key, value):
    found[key] = value


def scaled_object():
    return named(rendered("overlays/keda"), "ScaledObject", "splitdnn-cloud")


def monitor():
    return copy.deepcopy(named(everything(), "PodMonitor", "splitdnn-cloud"))


def rule():
    return copy.deepcopy(named(everything(), "PrometheusRule", "splitdnn"))


def cloud():
    return copy.deepcopy(named(everything(), "Deployment", "splitdnn-cloud"))


@pytest.mark.parametrize("release", RELEASES)
def test_what_kubernetes_does_not_know_is_found(release):
    broken = {
        "livenesProbe": lambda found: put(pod_of(found)["containers"][0], "livenesProbe", {}),
        "is not of type": lambda found: put(found["spec"], "replicas", "two"),
        "'template' is a required property": lambda found: found["spec"].pop("template"),
        "Couldn't find schema for kind Deploymint": lambda found: put(found, "kind", "Deploymint"),
        "api version apps/v2": lambda found: put(found, "apiVersion", "apps/v2"),
    }
    for said, breaks in broken.items():
        found = cloud()
        assert schema_problems(found, release) == []
        breaks(found)
        assert any(said in problem for problem in schema_problems(found, release)), said


def test_what_a_custom_resource_does_not_know_is_found():
    broken = [
        (monitor, "'podMetricsEndpoint' was unexpected", lambda s: put(s, "podMetricsEndpoint", [])),
        (monitor, "'intervall' was unexpected", lambda s: put(s["podMetricsEndpoints"][0], "intervall", "5s")),
        (monitor, "does not match", lambda s: put(s["podMetricsEndpoints"][0], "interval", "5 s")),
        (rule, "does not match", lambda s: put(s["groups"][0]["rules"][0], "for", "30 seconds")),
        (rule, "'severity' was unexpected", lambda s: put(s["groups"][0]["rules"][0], "severity", "x")),
        (rule, "'expr' is a required property", lambda s: s["groups"][0]["rules"][0].pop("expr")),
        (scaled_object, "'minReplicas' was unexpected", lambda s: put(s, "minReplicas", 1)),
        (scaled_object, "'qeury' was unexpected", lambda s: put(s["triggers"][0]["metadata"], "qeury", "x")),
        (scaled_object, "is not of type 'string'", lambda s: put(s["triggers"][0]["metadata"], "query", 5)),
        (scaled_object, "is not one of", lambda s: put(s["triggers"][0]["metadata"], "ignoreNullValues", False)),
        (scaled_object, "is not one of", lambda s: put(s["fallback"], "behavior", "current")),
        (scaled_object, "does not match", lambda s: put(s["triggers"][0]["metadata"], "serverAddress", "prometheus:9090")),
        (scaled_object, "is not one of ['prometheus']", lambda s: put(s["triggers"][0], "type", "prometeus")),
    ]  # fmt: skip
    for make, said, breaks in broken:
        found = make()
        assert schema_problems(found, RELEASES[-1]) == [], said
        breaks(found["spec"])
        assert any(said in problem for problem in schema_problems(found, RELEASES[-1])), said
    assert {make()["kind"] for make, _, _ in broken} == {kind for _, kind in CUSTOM}


def test_what_keda_would_do_wrong_is_found():
    broken = [
        (check_autoscalers, "0 to 12 pods", lambda s: s.pop("minReplicaCount")),
        (check_autoscalers, "up to 100 clouds", lambda s: s.pop("maxReplicaCount")),
        (check_metrics, "queue counts as 0", lambda s: s["triggers"][0]["metadata"].pop("ignoreNullValues")),
        (check_metrics, "cores is not one value", lambda s: put(s["triggers"][1]["metadata"], "query", 'x{namespace="splitdnn"}')),
        (check_metrics, "queue counts other namespaces", lambda s: put(s["triggers"][0]["metadata"], "query", "sum(splitdnn_cloud_queue_depth)")),
        (check_metrics, "nothing exports splitdnn_cloud_queue", lambda s: put(s["triggers"][0]["metadata"], "query", "sum(splitdnn_cloud_queue)")),
    ]  # fmt: skip
    for check, said, breaks in broken:
        objects = rendered("overlays/keda")
        assert check(objects) == []
        breaks(named(objects, "ScaledObject", "splitdnn-cloud")["spec"])
        assert any(said in problem for problem in check(objects)), said


def test_what_the_adapter_would_do_wrong_is_found():
    for said, key, value in (
        ("nothing exports splitdnn_cloud_queue", "seriesQuery", 'splitdnn_cloud_queue{pod!=""}'),
        ("nothing exports splitdnn_queue", "metricsQuery", "sum(splitdnn_queue)"),
        ("asks for nothing", "metricsQuery", "sum()"),
        ("has 0 rules for splitdnn_cloud_queue_depth", "name", {"as": "splitdnn_queue_depth"}),
    ):
        rules = adapter_rules()
        assert check_metrics(everything(), rules) == []
        rules[0][key] = value
        assert any(said in problem for problem in check_metrics(everything(), rules)), said
    assert query_problems("sum(rate(process_cpu_seconds_total[30s]))") == []


def test_a_patch_for_a_container_that_is_not_there_is_found(tmp_path):
    """Kustomize adds one, without a word."""
    shutil.copytree(FOLDER, tmp_path / "deploy/kubernetes")
    patch = tmp_path / "deploy/kubernetes/components/gpu/cloud.yaml"
    patch.write_text(patch.read_text().replace("- name: cloud\n", "- name: clouds\n"))
    objects = objects_of(text_of(str(tmp_path / "deploy/kubernetes/overlays/gpu")))
    assert len(pod_of(named(objects, "Deployment", "splitdnn-cloud"))["containers"]) == 2
    assert check_containers(objects) != []


def test_quantities():
    for text, number in (("2", 2), ("500m", 0.5), ("1Gi", 2**30), ("1.5G", 1.5e9), (".5", 0.5), (4, 4)):
        assert quantity(text) == pytest.approx(number), text
    for text in ("", "4GB", "1 Gi", "-1", "2i", "1e", "Mi"):
        with pytest.raises(ValueError, match="no quantity"):
            quantity(text)


def test_selectors():
    labels = {"a": "1", "b": "2"}
    for selector, fits in (
        ({}, True),
        ({"matchLabels": {"a": "1"}}, True),
        ({"matchLabels": {"a": "2"}}, False),
        ({"matchLabels": {"c": "1"}}, False),
        ({"matchExpressions": [{"key": "a", "operator": "In", "values": ["1", "3"]}]}, True),
        ({"matchExpressions": [{"key": "a", "operator": "NotIn", "values": ["1"]}]}, False),
        ({"matchExpressions": [{"key": "c", "operator": "Exists"}]}, False),
        ({"matchExpressions": [{"key": "c", "operator": "DoesNotExist"}]}, True),
    ):
        assert selects(selector, labels) is fits, selector
    with pytest.raises(ValueError, match="operator"):
        selects({"matchExpressions": [{"key": "a", "operator": "Gt", "values": ["1"]}]}, labels)


def test_the_rules_file_is_what_the_script_makes():
    assert SCRIPT["WRITTEN"].read_text(encoding="utf-8") == SCRIPT["text"](), (
        "run `python scripts/prometheus_rule.py --write`"
    )


def test_a_rules_file_with_more_than_groups_is_refused(tmp_path):
    path = tmp_path / "x.yml"
    path.write_text("groups:\n  - name: a\nother: 1\n")
    with pytest.raises(ValueError, match="holds more than"):
        SCRIPT["_groups"](path)
