"""Checks of what scales: bounds, targets that are there, and metrics that are exported."""

from __future__ import annotations

import re
from typing import TYPE_CHECKING, Any

import yaml
from kits.common import ROOT
from kits.kubernetes.rendered import (
    COMPONENTS,
    component_of,
    label,
    labels_of,
    named,
    of_kind,
    pod_of,
    selects,
    workloads,
)
from kits.monitoring import EXPORTED, RECORDED, matchers, metric_names

if TYPE_CHECKING:
    from kits.kubernetes.rendered import Object

ADAPTER = COMPONENTS / "hpa" / "adapter-values.yaml"


def adapter_rules() -> list[Object]:
    """What the adapter makes the pods' metrics of."""
    found: list[Object] = yaml.safe_load(ADAPTER.read_text(encoding="utf-8"))["rules"]["custom"]
    return found


def check_autoscalers(objects: list[Object]) -> list[str]:
    """Least and most in order, the least at least 1; what is scaled is there, leaves its number to one autoscaler, and fits its balancer."""
    problems = []
    scalers = [
        (each, spec["minReplicas"], spec["maxReplicas"])
        for each in of_kind(objects, "HorizontalPodAutoscaler")
        for spec in [each["spec"]]
    ] + [
        (each, spec.get("minReplicaCount", 0), spec.get("maxReplicaCount", 100))
        for each in of_kind(objects, "ScaledObject")
        for spec in [each["spec"]]
    ]
    targets = [each["spec"]["scaleTargetRef"]["name"] for each, _, _ in scalers]
    if len(set(targets)) != len(targets):
        problems.append(f"several autoscalers of one target: {[label(each) for each, _, _ in scalers]}")
    for each, least, most in scalers:
        if not 1 <= least <= most:
            problems.append(f"{label(each)}: {least} to {most} pods")
        name = each["spec"]["scaleTargetRef"]["name"]
        found = [one for one in of_kind(objects, "Deployment") if one["metadata"]["name"] == name]
        if not found:
            problems.append(f"{label(each)}: no Deployment {name}")
        problems += [
            f"{label(each)}: {label(one)} says `replicas` too" for one in found if "replicas" in one["spec"]
        ]
        places = re.search(
            r"server-template cloud (\d+) ",
            (ROOT / "deploy/balancer/haproxy.cfg").read_text(encoding="utf-8"),
        )
        assert places
        if most > int(places[1]):
            problems.append(f"{label(each)}: up to {most} clouds, and the balancer has {places[1]} places")
    return problems


def check_metrics(objects: list[Object], rules: list[Object] | None = None) -> list[str]:
    """What autoscalers look at is exported by the clouds, by way of a rule of the adapter for the pods' own metrics."""
    rules = adapter_rules() if rules is None else rules
    problems = []
    for each in of_kind(objects, "HorizontalPodAutoscaler"):
        for metric in each["spec"]["metrics"]:
            problems += [f"{label(each)}: {problem}" for problem in _metric(objects, each, metric, rules)]
    for each in of_kind(objects, "ScaledObject"):
        for trigger in each["spec"]["triggers"]:
            metadata = trigger["metadata"]
            problems += [f"{label(each)}: {problem}" for problem in query_problems(metadata["query"])]
            if metadata.get("ignoreNullValues") != "false":
                problems.append(f"{label(each)}: without an answer {trigger['name']} counts as 0")
            if not re.match(r"(sum|max|avg)\(", metadata["query"]):
                problems.append(f"{label(each)}: {trigger['name']} is not one value")
            if f'namespace="{each["metadata"]["namespace"]}"' not in metadata["query"]:
                problems.append(f"{label(each)}: {trigger['name']} counts other namespaces' clouds")
    return problems


def _metric(objects: list[Object], scaler: Object, metric: Object, rules: list[Object]) -> list[str]:
    if metric["type"] == "Pods":
        name = metric["pods"]["metric"]["name"]
        made = [rule for rule in rules if rule["name"]["as"] == name]
        if len(made) != 1:
            return [f"the adapter has {len(made)} rules for {name}"]
        [rule] = made
        series = rule["seriesQuery"].partition("{")[0]
        asked = rule["metricsQuery"].replace("<<.Series>>", series)
        asked = asked.replace("<<.LabelMatchers>>", "").replace("<<.GroupBy>>", "pod")
        return query_problems(asked)
    if metric["type"] == "Resource":
        name = metric["resource"]["name"]
        target = named(objects, "Deployment", scaler["spec"]["scaleTargetRef"]["name"])
        return [
            f"a share of {name}, of which {container['name']} asks for none"
            for container in pod_of(target)["containers"]
            if name not in container["resources"]["requests"]
        ]
    return [f"the kind {metric['type']} is read by nobody here"]


def query_problems(query: str) -> list[str]:
    """Metrics and labels of a query that nothing exports."""
    problems = [f"nothing exports {name}" for name in sorted(metric_names(query) - EXPORTED.keys())]
    if not metric_names(query):
        problems.append(f"asks for nothing: {query}")
    return problems


def check_monitors(objects: list[Object]) -> list[str]:
    """A PodMonitor finds pods, unless of a component that need not be there, and a port of theirs, gives the job's name that rules and dashboards ask for, and has time for an answer."""
    problems = []
    for monitor in of_kind(objects, "PodMonitor"):
        spec = monitor["spec"]
        found = [each for each in workloads(objects) if selects(spec["selector"], labels_of(each))]
        expected = spec["selector"]["matchLabels"].get("app.kubernetes.io/component")
        if not found and expected not in ("edge", "balancer"):
            problems.append(f"{label(monitor)}: finds no pods")
        problems += [
            f"{label(monitor)}: no port {endpoint['port']} in {label(each)}"
            for each in found
            for endpoint in spec["podMetricsEndpoints"]
            if endpoint["port"]
            not in {port["name"] for c in pod_of(each)["containers"] for port in c["ports"]}
        ]
        if spec.get("jobLabel") != "app.kubernetes.io/component" or any(
            component_of(each) != expected for each in found
        ):
            problems.append(f"{label(monitor)}: its job is not called as its component")
        problems += [
            f"{label(monitor)}: may take {endpoint['scrapeTimeout']} every {endpoint['interval']}"
            for endpoint in spec["podMetricsEndpoints"]
            if int(endpoint["scrapeTimeout"][:-1]) >= int(endpoint["interval"][:-1])
        ]
    return problems


def check_rules(objects: list[Object]) -> list[str]:
    """Rules ask for what is exported, or recorded by others of them, and for jobs that a PodMonitor makes."""
    problems = []
    jobs = {
        each["spec"]["selector"]["matchLabels"].get("app.kubernetes.io/component")
        for each in of_kind(objects, "PodMonitor")
    }
    known = EXPORTED.keys() | RECORDED.keys() | {"up"}
    for found in of_kind(objects, "PrometheusRule"):
        rules: list[Any] = [rule for group in found["spec"]["groups"] for rule in group["rules"]]
        for rule in rules:
            name = rule.get("alert") or rule.get("record")
            problems += [
                f"{label(found)}: {name}: nothing exports {metric}"
                for metric in sorted(metric_names(rule["expr"]) - known)
            ]
            problems += [
                f"{label(found)}: {name}: no job {value}"
                for _, key, value in matchers(rule["expr"])
                if key == "job" and value not in jobs
            ]
    return problems
