"""Prometheus' configuration, rules and alerts: they name only what the code exports, and promtool agrees with them."""

import os
import re
import runpy
import shutil
import subprocess

import pytest
import yaml
from kits.monitoring import (
    ALERTS,
    CASES,
    CONFIG,
    EXPORTED,
    EXPRESSIONS,
    JOBS,
    PROMETHEUS,
    RECORDED,
    ROOT,
    SHOWN,
    filled_in,
    matchers,
    metric_names,
    resolved,
)

from edge.output.events.metrics import LOST

RUNBOOKS = runpy.run_path(str(ROOT / "scripts" / "runbooks.py"))
RULES_OF = {alert["alert"].lower(): alert for alert in ALERTS}
NAMED_BY_USERS = {"instance", "camera", "client", "cloud", "target"}
LABELLED_AT_RUN_TIME = {"splitdnn_edge_plan_info"}  # by the network's split points
FROM_PROMETHEUS = {"up", "ALERTS"}
OLDEST_IMAGE = "prom/prometheus:v2.53.3"
"""The configuration must hold for this release and for compose.yaml's; whichever is at hand checks it."""


def images():
    compose = (ROOT / "compose.yaml").read_text(encoding="utf-8")
    (current,) = re.findall(r"prom/prometheus:v[\d.]+", compose)
    return [current, OLDEST_IMAGE]


@pytest.fixture(scope="module")
def promtools():
    """Each runs promtool below a folder laid out as /etc/prometheus: the one on PATH, and those of images at hand."""
    docker = shutil.which("docker")
    commands = [["promtool"]] if shutil.which("promtool") else []
    if docker:
        run = f"{docker} run --rm --network none --user {os.getuid()} --entrypoint promtool -w /etc/prometheus".split()
        found = [image for image in images() if quiet([docker, "image", "inspect", image]).returncode == 0]
        commands += [[*run, "-v", "{folder}:/etc/prometheus:ro", image] for image in found]
    if not commands:
        pytest.skip(f"no promtool on PATH, and no docker that has one of {', '.join(images())}")

    def check(folder, *arguments):
        for command in commands:
            done = quiet([*(word.format(folder=folder) for word in command), *arguments], folder)
            assert done.returncode == 0, (command, done.stdout + done.stderr)

    return check


def quiet(command, folder=ROOT):
    return subprocess.run(command, cwd=folder, capture_output=True, text=True, timeout=120, check=False)


def paths(folder):
    return [str(path.relative_to(PROMETHEUS)) for path in sorted((PROMETHEUS / folder).glob("*.yml"))]


def test_every_metric_is_exported():
    assert EXPRESSIONS
    for where, expression in EXPRESSIONS:
        names = metric_names(expression)
        assert names, where
        assert names <= {*EXPORTED, *RECORDED, *FROM_PROMETHEUS}, where


def test_every_label_value_is_one_that_the_code_initialises():
    given = {
        "job": JOBS,
        "alertstate": {"firing", "pending"},
    }
    for where, expression in EXPRESSIONS:
        for metric, label, value in matchers(expression):
            if label not in NAMED_BY_USERS and metric not in LABELLED_AT_RUN_TIME:
                names = metric_names(RECORDED.get(metric, metric))
                known = given.get(label) or set().union(*(EXPORTED[name][label] for name in names))
                assert value in known, f"{where}: {metric}{{{label}={value!r}}}"


def test_every_recording_rule_is_used():
    everything = " ".join(expression for _, expression in SHOWN) + "".join(str(alert) for alert in ALERTS)
    assert [name for name in RECORDED if name not in everything] == []


def test_an_alert_says_what_to_do():
    assert ALERTS
    for alert in ALERTS:
        name = alert["alert"]
        assert alert["for"], name
        assert alert["labels"]["severity"] in {"critical", "warning"}, name
        assert alert["annotations"]["summary"], name
        assert alert["annotations"]["description"], name
        page, anchor = alert["annotations"]["runbook_url"].split("#")
        assert page == "{{ $externalURL }}/consoles/runbooks.html"
        assert anchor == name.lower()


def test_what_an_alert_links_to_is_what_operations_says():
    written = RUNBOOKS["PAGE"].read_text(encoding="utf-8")
    assert written == RUNBOOKS["page"](), "run `python scripts/runbooks.py --write`"
    anchors = re.findall(r' id="([^"]+)"', written)
    assert len(set(anchors)) == len(anchors)
    assert [anchor for anchor in anchors if anchor in RULES_OF] == list(RULES_OF)
    assert "{{" not in written, "Prometheus would take it for a template"
    flags = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))["services"]["prometheus"]
    assert f"--web.console.templates=/etc/prometheus/{RUNBOOKS['PAGE'].parent.name}" in flags["command"]


def test_the_page_has_headings_to_link_to_and_leads_to_no_page_that_is_not_served():
    text = RUNBOOKS["rendered"](
        "## A `b`: c\n\n| a | b |\n|---|---|\n| `{{c}}` | <i>d</i> |\n\n[e](f.md#g) [h](#a-b-c) [i](https://j.example) ![k](l.webp)"
    )
    assert '<h2 id="a-b-c">A <code>b</code>: c</h2>' in text
    assert "<td><code>&#123;&#123;c}}</code></td>" in text
    assert '<p>e <a href="#a-b-c">h</a> <a href="https://j.example">i</a> </p>' in text


def test_links_within_the_page_lead_somewhere():
    written = RUNBOOKS["PAGE"].read_text(encoding="utf-8")
    led = re.findall(r'href="#([^"]+)"', written)
    assert led
    assert set(led) <= set(re.findall(r' id="([^"]+)"', written))


def test_an_alert_is_tested_firing_and_silent():
    checks = [check for case in CASES for check in case.get("alert_rule_test", [])]
    for alert in ALERTS:
        fires = {bool(check.get("exp_alerts")) for check in checks if check["alertname"] == alert["alert"]}
        assert fires == {True, False}, alert["alert"]


def test_a_threshold_on_a_quantile_is_a_bound_of_its_histogram():
    on_quantiles = [alert for alert in ALERTS if "histogram_quantile" in resolved(alert["expr"])]
    assert on_quantiles
    for alert in on_quantiles:
        expression = resolved(alert["expr"])
        (threshold,) = re.findall(r"[<>]=?\s*([\d.]+)", expression)
        (histogram,) = metric_names(expression)
        assert float(threshold) in {float(bound) for bound in EXPORTED[histogram]["le"]}, alert["alert"]


def test_every_reason_is_explained():
    text = (ROOT / "docs/operations.md").read_text(encoding="utf-8")
    explained = set(re.findall(r'(\w+)\{reason="(\w+)"\}', text))
    counters = (
        "splitdnn_cloud_rejected_total",
        "splitdnn_edge_fallbacks_total",
        "splitdnn_edge_plan_switches_total",
    )
    expected = {(name, reason) for name in counters for reason in EXPORTED[name]["reason"]}
    assert explained == expected | {("splitdnn_edge_events_lost_total", reason) for reason in LOST}


def test_nothing_depends_on_what_prometheus_3_changed():
    """3.0 writes whole bounds as `1.0`, lets `.` match line ends, removed holt_winters and several flags and options."""
    for where, expression in EXPRESSIONS:
        assert not re.search(r'\ble="\d+"', expression), where
        assert "holt_winters" not in expression, where
        assert not re.search(r"\[\s*\d+[a-z]+\s*:\s*\]", expression), where
    known_to_both = {"job_name", "dns_sd_configs", "static_configs"}
    assert set(CONFIG) == {"global", "rule_files", "scrape_configs"}
    assert set(CONFIG["global"]) == {"scrape_interval", "scrape_timeout", "evaluation_interval"}
    assert all(set(job) <= known_to_both for job in CONFIG["scrape_configs"])
    compose = yaml.safe_load((ROOT / "compose.yaml").read_text(encoding="utf-8"))
    flags = {flag.split("=")[0] for flag in compose["services"]["prometheus"]["command"]}
    assert flags == {
        "--storage.tsdb.path", "--storage.tsdb.retention.time", "--storage.tsdb.retention.size",
        "--web.external-url", "--web.console.templates",
    }  # fmt: skip


def test_promtool_takes_configuration_and_rules(promtools):
    for path in sorted(PROMETHEUS.glob("prometheus*.yml")):
        # Not whether the files of keys are there, which other containers make.
        promtools(PROMETHEUS, "check", "config", "--syntax-only", path.name)
    promtools(PROMETHEUS, "check", "config", "prometheus.yml")
    promtools(PROMETHEUS, "check", "rules", "--lint-fatal", *paths("rules"))


def test_promtool_fires_the_alerts(promtools):
    promtools(PROMETHEUS, "test", "rules", *paths("tests"))


def test_promtool_parses_what_the_panels_ask(promtools, tmp_path):
    asked = [filled_in(expression, "20s") for _, expression in SHOWN if "label_values" not in expression]
    rules = [{"record": f"panel:{number}", "expr": expression} for number, expression in enumerate(asked)]
    (tmp_path / "panels.yml").write_text(yaml.safe_dump({"groups": [{"name": "panels", "rules": rules}]}))
    promtools(tmp_path, "check", "rules", "panels.yml")
