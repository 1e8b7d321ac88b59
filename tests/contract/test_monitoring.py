"""Dashboards, rules and alerts name only what the code exports, and promtool agrees with them."""

from __future__ import annotations

import itertools
import json
import os
import re
import shutil
import subprocess
from collections import defaultdict
from pathlib import Path

import pytest
import yaml

from cloud.metrics import CloudMetrics
from edge.metrics import EdgeMetrics
from shared.observing.telemetry import export_build_info

ROOT = Path(__file__).resolve().parents[2]
PROMETHEUS = ROOT / "monitoring" / "prometheus"
GRAFANA = ROOT / "monitoring" / "grafana"
IMAGE = "prom/prometheus:v2.53.3"

CONFIG = yaml.safe_load((PROMETHEUS / "prometheus.yml").read_text())
DASHBOARDS = {path.name: json.loads(path.read_text()) for path in (GRAFANA / "dashboards").glob("*.json")}
PANELS = [
    pytest.param(panel, id=f"{name}:{panel['id']}")
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
ALERTS = [pytest.param(rule, id=rule["alert"]) for rule in RULES if "alert" in rule]
CASES = [
    case
    for path in sorted((PROMETHEUS / "tests").glob("*.yml"))
    for case in yaml.safe_load(path.read_text())["tests"]
]
ANNOTATIONS = [
    pytest.param(annotation, id=annotation["name"])
    for dashboard in DASHBOARDS.values()
    for annotation in dashboard["annotations"]["list"]
]
SHOWN = [
    *(pytest.param(target["expr"], id=param.id) for param in PANELS for target in param.values[0]["targets"]),
    *(pytest.param(param.values[0]["expr"], id=param.id) for param in ANNOTATIONS),
    *(
        pytest.param(item["definition"], id=item["name"])
        for dashboard in DASHBOARDS.values()
        for item in dashboard["templating"]["list"]
    ),
]
EXPRESSIONS = [
    *SHOWN,
    *(pytest.param(rule["expr"], id=rule.get("record") or rule["alert"]) for rule in RULES),
    *(pytest.param(one["series"], id=case["name"]) for case in CASES for one in case["input_series"]),
]

WORDS = {"and", "or", "unless", "bool", "offset", "instance"}  # `instance`: what label_values() asks for
LABEL_LISTS = "by|without|on|ignoring|group_left|group_right"
FROM_PROMETHEUS = {"up", "ALERTS"}
LABELLED_AT_RUN_TIME = {"splitdnn_edge_plan_info"}  # by the network's split points


def _exported() -> dict[str, dict[str, set[str]]]:
    """Every metric name that the code exports, with the values of each of its labels."""
    exported: dict[str, dict[str, set[str]]] = {}
    for component, metrics in (("cloud", CloudMetrics()), ("edge", EdgeMetrics())):
        export_build_info(metrics.registry, component)
        for family in metrics.registry.collect():
            if not family.samples:  # its labels are known only at run time, as those of plan_info
                exported[family.name] = {}
            for sample in family.samples:
                labels = exported.setdefault(sample.name, defaultdict(set))
                for label, value in sample.labels.items():
                    labels[label].add(value)
    return exported


EXPORTED = _exported()


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


@pytest.fixture(scope="module")
def promtool():
    """Runs promtool below a folder laid out as /etc/prometheus: the one on PATH, or the image's if docker has it."""
    docker = shutil.which("docker")
    if shutil.which("promtool"):
        command = ["promtool"]
    elif docker and _quiet([docker, "image", "inspect", IMAGE]).returncode == 0:
        command = []
    else:
        pytest.skip(f"no promtool on PATH, and no docker that has {IMAGE}")

    def run(folder: Path, *arguments: str) -> None:
        mounted = f"{docker} run --rm --network none --user {os.getuid()} --entrypoint promtool -w /etc/prometheus".split()
        prefix = command or [*mounted, "-v", f"{folder}:/etc/prometheus:ro", IMAGE]
        done = _quiet([*prefix, *arguments], folder)
        assert done.returncode == 0, done.stdout + done.stderr

    return run


def _quiet(command: list[str], folder: Path = ROOT) -> subprocess.CompletedProcess[str]:
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


def _paths(folder: str) -> list[str]:
    return [str(path.relative_to(PROMETHEUS)) for path in sorted((PROMETHEUS / folder).glob("*.yml"))]


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_metric_is_exported(expression):
    names = metric_names(expression)
    assert names
    assert names <= {*EXPORTED, *RECORDED, *FROM_PROMETHEUS}


@pytest.mark.parametrize("expression", EXPRESSIONS)
def test_every_label_value_is_one_that_the_code_initialises(expression):
    given = {
        "job": {job["job_name"] for job in CONFIG["scrape_configs"]},
        "alertstate": {"firing", "pending"},
    }
    for metric, label, value in matchers(expression):
        if label != "instance" and metric not in LABELLED_AT_RUN_TIME:
            names = metric_names(RECORDED.get(metric, metric))
            known = given.get(label) or set().union(*(EXPORTED[name][label] for name in names))
            assert value in known, f"{metric}{{{label}={value!r}}}"


def test_every_recording_rule_is_used():
    everything = " ".join(str(param.values[0]) for param in SHOWN) + "".join(
        str(alert.values[0]) for alert in ALERTS
    )
    assert [name for name in RECORDED if name not in everything] == []


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_says_what_it_shows(panel):
    assert panel["title"]
    assert panel["description"].endswith(".")
    assert panel["fieldConfig"]["defaults"]["unit"]
    assert panel["datasource"] == {"type": "prometheus", "uid": "prometheus"}
    references = [target["refId"] for target in panel["targets"]]
    assert len(set(references)) == len(references)


@pytest.mark.parametrize("panel", PANELS)
def test_a_panel_shows_the_edges_that_were_chosen(panel):
    for target in panel["targets"]:
        edges = re.findall(r"[\w:]*splitdnn_edge_[\w:]+(?:\{[^}]*\})?", target["expr"])
        # One on the other side of `and on (job, instance)` needs no choice of its own.
        assert not edges or any('instance=~"$edge"' in selector for selector in edges), target["expr"]
        assert not re.search(r'instance="', target["expr"])


@pytest.mark.parametrize("annotation", ANNOTATIONS)
def test_an_annotation_names_what_it_marks(annotation):
    assert annotation["enable"]
    assert annotation["datasource"] == {"type": "prometheus", "uid": "prometheus"}
    assert annotation["step"] == CONFIG["global"]["scrape_interval"]
    assert 'instance=~"$edge"' in annotation["expr"]
    joined = re.findall(r"group_left\s*\(([^)]*)\)", annotation["expr"])
    labels = {"instance", "job", *(label for found in joined for label in re.split(r",\s*", found))}
    labels |= {label for name in metric_names(annotation["expr"]) for label in EXPORTED[name]}
    formats = annotation["titleFormat"] + annotation["textFormat"]
    shown = {*re.findall(r"\{\{(\w+)\}\}", formats), *filter(None, annotation["tagKeys"].split(","))}
    assert annotation["titleFormat"]
    assert shown <= labels


@pytest.mark.parametrize("annotation", ANNOTATIONS)
def test_what_an_annotation_marks_is_tested(annotation):
    """With a window of four scrapes, and every edge."""
    asked = annotation["expr"].replace("$__rate_interval", "20s").replace('{instance=~"$edge"}', "")
    checks = [check for case in CASES for check in case.get("promql_expr_test", []) if check["expr"] == asked]
    assert {bool(check["exp_samples"]) for check in checks} == {True, False}


@pytest.mark.parametrize("name", DASHBOARDS)
def test_a_dashboard_can_be_provisioned(name):
    dashboard = DASHBOARDS[name]
    assert dashboard["uid"]
    assert dashboard["id"] is None
    assert "${DS_" not in json.dumps(dashboard)
    identifiers = [panel["id"] for panel in dashboard["panels"]]
    assert len(set(identifiers)) == len(identifiers)


@pytest.mark.parametrize("name", DASHBOARDS)
def test_panels_do_not_overlap(name):
    places = [panel["gridPos"] for panel in DASHBOARDS[name]["panels"]]
    assert all(place["x"] + place["w"] <= 24 for place in places)
    for a, b in itertools.combinations(places, 2):
        beside = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
        assert beside or a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"], (a, b)


def test_the_data_source_is_the_one_that_dashboards_name():
    (source,) = yaml.safe_load((GRAFANA / "provisioning/datasources/prometheus.yml").read_text())[
        "datasources"
    ]
    assert (source["uid"], source["type"], source["isDefault"]) == ("prometheus", "prometheus", True)
    assert source["jsonData"]["timeInterval"] == CONFIG["global"]["scrape_interval"]
    uids = {found for dashboard in DASHBOARDS.values() for found in _datasource_uids(dashboard)}
    assert uids == {"prometheus"}


def _datasource_uids(node: object) -> set[str]:
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    here = {node["datasource"]["uid"]} if isinstance(node, dict) and "datasource" in node else set()
    return here.union(*map(_datasource_uids, children))


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_says_what_to_do(alert):
    assert alert["for"]
    assert alert["labels"]["severity"] in {"critical", "warning"}
    assert alert["annotations"]["summary"]
    assert alert["annotations"]["description"]
    document, anchor = alert["annotations"]["runbook_url"].split("#")
    headings = re.findall(r"^#+ (.+)$", (ROOT / document).read_text(), re.MULTILINE)
    assert anchor == alert["alert"].lower()
    assert anchor in [heading.lower().replace(" ", "-") for heading in headings]


@pytest.mark.parametrize("alert", ALERTS)
def test_an_alert_is_tested_firing_and_silent(alert):
    checks = [check for case in CASES for check in case.get("alert_rule_test", [])]
    fires = {bool(check.get("exp_alerts")) for check in checks if check["alertname"] == alert["alert"]}
    assert fires == {True, False}


@pytest.mark.parametrize("alert", ALERTS)
def test_a_threshold_on_a_quantile_is_a_bound_of_its_histogram(alert):
    expression = resolved(alert["expr"])
    if "histogram_quantile" not in expression:
        return
    (threshold,) = re.findall(r"[<>]=?\s*([\d.]+)", expression)
    (histogram,) = metric_names(expression)
    assert float(threshold) in {float(bound) for bound in EXPORTED[histogram]["le"]}


def test_one_alert_is_on_a_quantile():
    assert any("histogram_quantile" in resolved(alert.values[0]["expr"]) for alert in ALERTS)


def test_every_reason_is_explained():
    explained = set(re.findall(r'(\w+)\{reason="(\w+)"\}', (ROOT / "docs/operations.md").read_text()))
    counters = (
        "splitdnn_cloud_rejected_total",
        "splitdnn_edge_fallbacks_total",
        "splitdnn_edge_plan_switches_total",
    )
    assert explained == {(name, reason) for name in counters for reason in EXPORTED[name]["reason"]}


def test_promtool_takes_configuration_and_rules(promtool):
    promtool(PROMETHEUS, "check", "config", "prometheus.yml")
    promtool(PROMETHEUS, "check", "rules", "--lint-fatal", *_paths("rules"))


def test_promtool_fires_the_alerts(promtool):
    promtool(PROMETHEUS, "test", "rules", *_paths("tests"))


def test_promtool_parses_what_the_panels_ask(promtool, tmp_path):
    asked = [
        param.values[0].replace("$__rate_interval", "20s")
        for param in SHOWN
        if "label_values" not in param.values[0]
    ]
    rules = [{"record": f"panel:{number}", "expr": expression} for number, expression in enumerate(asked)]
    (tmp_path / "panels.yml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    promtool(tmp_path, "check", "rules", "panels.yml")
