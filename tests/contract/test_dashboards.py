"""Dashboards: what they show is exported, explained and valid in the schema that file provisioning accepts."""

import itertools
import json
import re

import yaml
from kits.monitoring import (
    ANNOTATIONS,
    CASES,
    CONFIG,
    DASHBOARDS,
    EXPORTED,
    GRAFANA,
    LABELLED_AT_RUN_TIME,
    PANELS,
    metric_names,
)

PROMETHEUS = {"type": "prometheus", "uid": "prometheus"}
NEWEST_CLASSIC_SCHEMA = 42
"""Grafana 13 saves dashboards as schema v2 (`apiVersion`, `kind`, `spec`), which file provisioning refuses."""


def test_there_are_dashboards_panels_and_annotations():
    assert DASHBOARDS
    assert PANELS
    assert ANNOTATIONS


def test_dashboards_are_in_the_classic_schema():
    for name, dashboard in DASHBOARDS.items():
        assert not {"apiVersion", "kind", "spec", "elements", "layout"} & set(dashboard), name
        assert isinstance(dashboard["schemaVersion"], int), name
        assert 36 <= dashboard["schemaVersion"] <= NEWEST_CLASSIC_SCHEMA, name
        assert isinstance(dashboard["panels"], list), name
        assert all({"id", "type", "gridPos"} <= set(panel) for panel in dashboard["panels"]), name


def test_a_dashboard_can_be_provisioned():
    for name, dashboard in DASHBOARDS.items():
        assert dashboard["uid"], name
        assert dashboard["id"] is None, name
        assert "${DS_" not in json.dumps(dashboard), name
        identifiers = [panel["id"] for panel in dashboard["panels"]]
        assert len(set(identifiers)) == len(identifiers), name


def test_a_panel_says_what_it_shows():
    for name, panel in PANELS:
        assert panel["title"], name
        assert panel["description"].endswith("."), name
        assert panel["fieldConfig"]["defaults"]["unit"], name
        assert panel["datasource"] == PROMETHEUS, name
        references = [target["refId"] for target in panel["targets"]]
        assert len(set(references)) == len(references), name


def test_a_panel_shows_the_edges_that_were_chosen():
    for name, panel in PANELS:
        for target in panel["targets"]:
            edges = re.findall(r"[\w:]*splitdnn_edge_[\w:]+(?:\{[^}]*\})?", target["expr"])
            # One on the other side of `and on (job, instance)` needs no choice of its own.
            assert not edges or any('instance=~"$edge"' in selector for selector in edges), (
                name,
                target["expr"],
            )
            assert not re.search(r'instance="', target["expr"]), (name, target["expr"])


def test_a_panel_shows_the_cameras_that_were_chosen():
    for name, panel in PANELS:
        for target in panel["targets"]:
            for metric, labels in re.findall(r"(splitdnn_edge_\w+)\{([^}]*)\}", target["expr"]):
                of_a_camera = "camera" in EXPORTED[metric] or metric in LABELLED_AT_RUN_TIME
                # Steps are timed for the whole edge, and so is what they are divided by.
                assert of_a_camera == ("camera" in labels) or "stage_duration" in target["expr"], (
                    name,
                    metric,
                )


def test_an_annotation_names_what_it_marks():
    for annotation in ANNOTATIONS:
        name = annotation["name"]
        assert annotation["enable"], name
        assert annotation["datasource"] == PROMETHEUS, name
        assert annotation["step"] == CONFIG["global"]["scrape_interval"], name
        assert 'instance=~"$edge", camera=~"$camera"' in annotation["expr"], name
        joined = re.findall(r"group_left\s*\(([^)]*)\)", annotation["expr"])
        labels = {"instance", "job", *(label for found in joined for label in re.split(r",\s*", found))}
        labels |= {label for metric in metric_names(annotation["expr"]) for label in EXPORTED[metric]}
        formats = annotation["titleFormat"] + annotation["textFormat"]
        shown = {*re.findall(r"\{\{(\w+)\}\}", formats), *filter(None, annotation["tagKeys"].split(","))}
        assert annotation["titleFormat"], name
        assert shown <= labels, name


def test_what_an_annotation_marks_is_tested():
    """With a window of four scrapes, and every edge."""
    for annotation in ANNOTATIONS:
        asked = (
            annotation["expr"]
            .replace("$__rate_interval", "20s")
            .replace('{instance=~"$edge", camera=~"$camera"}', "")
        )
        checks = [
            check for case in CASES for check in case.get("promql_expr_test", []) if check["expr"] == asked
        ]
        assert {bool(check["exp_samples"]) for check in checks} == {True, False}, annotation["name"]


def test_panels_do_not_overlap():
    for name, dashboard in DASHBOARDS.items():
        places = [panel["gridPos"] for panel in dashboard["panels"]]
        assert all(place["x"] + place["w"] <= 24 for place in places), name
        for a, b in itertools.combinations(places, 2):
            beside = a["x"] + a["w"] <= b["x"] or b["x"] + b["w"] <= a["x"]
            assert beside or a["y"] + a["h"] <= b["y"] or b["y"] + b["h"] <= a["y"], (name, a, b)


def test_the_data_source_is_the_one_that_dashboards_name():
    text = (GRAFANA / "provisioning/datasources/prometheus.yml").read_text(encoding="utf-8")
    (source,) = yaml.safe_load(text)["datasources"]
    assert (source["uid"], source["type"], source["isDefault"]) == ("prometheus", "prometheus", True)
    assert source["jsonData"]["timeInterval"] == CONFIG["global"]["scrape_interval"]
    uids = {found for dashboard in DASHBOARDS.values() for found in datasource_uids(dashboard)}
    assert uids == {"prometheus"}


def datasource_uids(node):
    children = node.values() if isinstance(node, dict) else node if isinstance(node, list) else ()
    here = {node["datasource"]["uid"]} if isinstance(node, dict) and "datasource" in node else set()
    return here.union(*map(datasource_uids, children))
