"""What the tests of monitoring/ share: dashboards, rules and what the code exports."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from pathlib import Path

import yaml

from cloud.metrics import CloudMetrics
from edge.metrics import DEFAULT_CAMERA, EdgeMetrics
from edge.output.page.metrics import PageMetrics
from edge.uplink.clouds.metrics import OfCloud
from shared.observing.telemetry import export_build_info

ROOT = Path(__file__).resolve().parents[2]
PROMETHEUS = ROOT / "monitoring" / "prometheus"
GRAFANA = ROOT / "monitoring" / "grafana"


CONFIG = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
JOBS = {
    job["job_name"]
    for path in (PROMETHEUS / "prometheus.yml", ROOT / "deploy/swarm/prometheus.yml")
    for job in yaml.safe_load(path.read_text())["scrape_configs"]
}
DASHBOARDS = {path.name: json.loads(path.read_text()) for path in (GRAFANA / "dashboards").glob("*.json")}
PANELS = [
    (f"{name}:{panel['id']}", panel)
    for name, dashboard in DASHBOARDS.items()
    for panel in dashboard["panels"]
    if panel["type"] != "row"
]
RULES = [
    rule
    for path in sorted((PROMETHEUS / "rules").glob("*.yml"))
    for group in yaml.safe_load(path.read_text())["groups"]
    for rule in group["rules"]
]
RECORDED = {rule["record"]: rule["expr"] for rule in RULES if "record" in rule}
ALERTS = [rule for rule in RULES if "alert" in rule]
CASES = [
    case
    for path in sorted((PROMETHEUS / "tests").glob("*.yml"))
    for case in yaml.safe_load(path.read_text())["tests"]
]
ANNOTATIONS = [
    annotation for dashboard in DASHBOARDS.values() for annotation in dashboard["annotations"]["list"]
]
SHOWN = [
    *((name, target["expr"]) for name, panel in PANELS for target in panel["targets"]),
    *((annotation["name"], annotation["expr"]) for annotation in ANNOTATIONS),
    *(
        (item["name"], item["definition"])
        for dashboard in DASHBOARDS.values()
        for item in dashboard["templating"]["list"]
        if item["type"] == "query"
    ),
]
"""(where, expression) of all that dashboards ask."""
EXPRESSIONS = [
    *SHOWN,
    *((rule.get("record") or rule["alert"], rule["expr"]) for rule in RULES),
    *((case["name"], one["series"]) for case in CASES for one in case["input_series"]),
]

WORDS = {
    "and",
    "or",
    "unless",
    "bool",
    "offset",
    "instance",
    "camera",
}  # the latter two: what label_values() asks for
LABEL_LISTS = "by|without|on|ignoring|group_left|group_right"
NETWORK = dict.fromkeys(("model", "weights", "fingerprint", "device", "engine", "precision"), "")
"""What both sides say of their network in splitdnn_build_info; a contract test compares it with their code."""
OF_EVERY_TARGET = {"job", "instance"}
OF_PROMETHEUS = {"ALERTS": {"alertname", "alertstate", "severity"}}


def exported_names() -> dict[str, dict[str, set[str]]]:
    """Every metric name that the code exports, with the values of each of its labels."""
    exported: dict[str, dict[str, set[str]]] = {}
    cloud, edge = CloudMetrics(), EdgeMetrics()
    PageMetrics(edge.registry)
    # What is labelled at run time only: by the network's split points, and by the addresses of clouds and of those who are told.
    edge.plan_info.labels(camera=DEFAULT_CAMERA, split_point="layer3", codec="int8")
    OfCloud(edge.clouds, "http://cloud:8881").follow(lambda: "closed")
    edge.events.add_target("broker", lambda: 0)
    edge.deliveries.add_target("broker")
    for component, metrics in (("cloud", cloud), ("edge", edge)):
        export_build_info(metrics.registry, component, **NETWORK)
        for family in metrics.registry.collect():
            assert family.samples, f"{family.name} has no label value yet"
            for sample in family.samples:
                labels = exported.setdefault(sample.name, defaultdict(set))
                for label, value in sample.labels.items():
                    labels[label].add(value)
    return exported


EXPORTED = exported_names()


def metric_names(expression: str) -> set[str]:
    """What is left of a PromQL expression without strings, matchers, ranges, groupings, functions and keywords."""
    for noise in (r'"[^"]*"', r"\{[^}]*\}", r"\[[^\]]*\]", rf"\b(?:{LABEL_LISTS})\s*\([^)]*\)"):
        expression = re.sub(noise, " ", expression)
    return set(re.findall(r"(?<![\w:.$])[a-zA-Z_:][\w:]*+(?!\s*\()", expression)) - WORDS


def matchers(expression: str) -> list[tuple[str, str, str]]:
    """(metric, label, value) of each matcher; a regular expression gives one for each alternative."""
    return [
        (metric, label, value)
        for metric, inside in re.findall(r"([\w:]+)\{([^}]*)\}", expression)
        for label, values in re.findall(r'(\w+)\s*(?:=~|!~|!=|=)\s*"([^"]*)"', inside)
        for value in values.split("|")
    ]


def resolved(expression: str) -> str:
    """The expression with recording rules written out."""
    for name, recorded in RECORDED.items():
        expression = expression.replace(name, recorded)
    return expression


def filled_in(expression: str, window: str = "1m", camera: str = ".*") -> str:
    """The expression as Grafana asks it, with its own variables' values at first: all that there is."""
    values = {"$__rate_interval": window, "$edge": ".*", "$camera": camera, "$cloud": ".*", "$worst": "10"}
    for name, value in values.items():
        expression = expression.replace(name, value)
    return expression


def known_labels(metric: str) -> set[str]:
    """The labels that a metric, or what a rule records, can have."""
    if metric in RECORDED:  # level:metric:operations
        level = set(metric.partition(":")[0].split("_"))
        return OF_EVERY_TARGET | level if "without" in RECORDED[metric] else level
    return OF_EVERY_TARGET | set(EXPORTED.get(metric, {})) | OF_PROMETHEUS.get(metric, set())


def _inside(text: str) -> str:
    """What stands in the parentheses that `text` begins with."""
    depth = 0
    for position, character in enumerate(text):
        depth += (character == "(") - (character == ")")
        if depth == 0:
            return text[1:position]
    raise ValueError(f"parentheses do not match: {text}")


def unknown_labels(expression: str) -> list[tuple[str, str]]:
    """(metric, label) wherever an expression asks a metric for a label that it cannot have.

    Matchers are looked up exactly. What is grouped by must be known of every metric in the group, what is joined on of every metric of
    the expression, and what is taken from the other side, or ignored, of one.
    """
    everything = metric_names(expression)
    wrong = [
        (metric, label) for metric, label, _ in matchers(expression) if label not in known_labels(metric)
    ]
    for found in re.finditer(r"\b(by|without|on|ignoring|group_left|group_right)\s*\(([^)]*)\)", expression):
        word, labels = found[1], {label.strip() for label in found[2].split(",") if label.strip()}
        rest = expression[found.end() :].lstrip()
        metrics = metric_names(_inside(rest)) if word in ("by", "without") else everything
        if word in ("ignoring", "group_left", "group_right"):
            anywhere = set().union(*map(known_labels, metrics))
            wrong += [(", ".join(sorted(metrics)), label) for label in labels - anywhere]
        else:
            wrong += [(metric, label) for metric in metrics for label in labels - known_labels(metric)]
    return wrong
