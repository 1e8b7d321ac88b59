"""What the tests of monitoring/ share: dashboards, rules and what the code exports."""

from __future__ import annotations

import json
import re
from collections import defaultdict
from pathlib import Path

import yaml

from cloud.metrics import CloudMetrics
from edge.metrics import EdgeMetrics
from shared.observing.telemetry import export_build_info

ROOT = Path(__file__).resolve().parents[2]
PROMETHEUS = ROOT / "monitoring" / "prometheus"
GRAFANA = ROOT / "monitoring" / "grafana"


CONFIG = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
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
LABELLED_AT_RUN_TIME = {  # by the network's split points, and by the targets of events
    "splitdnn_edge_plan_info",
    "splitdnn_edge_events_waiting",
    "splitdnn_edge_events_delivered_total",
    "splitdnn_edge_events_lost_total",
    "splitdnn_edge_events_delivery_failures_total",
}


def exported_names() -> dict[str, dict[str, set[str]]]:
    """Every metric name that the code exports, with the values of each of its labels."""
    exported: dict[str, dict[str, set[str]]] = {}
    for component, metrics in (("cloud", CloudMetrics()), ("edge", EdgeMetrics())):
        export_build_info(metrics.registry, component)
        for family in metrics.registry.collect():
            if not family.samples:  # its labels are known only at run time, as those of plan_info
                exported[f"{family.name}_total" if family.type == "counter" else family.name] = {}
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
