"""Dashboards: what they show is exported, explained and valid in the schema that file provisioning accepts."""

import ast
import html
import itertools
import json
import re
import runpy

import pytest
import yaml
from kits.monitoring import (
    ANNOTATIONS,
    CASES,
    CONFIG,
    DASHBOARDS,
    EXPORTED,
    GRAFANA,
    NETWORK,
    PANELS,
    ROOT,
    SHOWN,
    metric_names,
    unknown_labels,
)

RUNBOOKS = runpy.run_path(str(ROOT / "scripts" / "runbooks.py"))
SERVED = "/api/datasources/proxy/uid/prometheus/consoles/runbooks.html"
"""Grafana fetches the page from Prometheus, for whoever may look at the panels; so a link needs no address of either."""
ALL_CAMERAS = "All cameras of an edge together."
PROMETHEUS = {"type": "prometheus", "uid": "prometheus"}
NEWEST_CLASSIC_SCHEMA = 42
"""Grafana 13 saves dashboards as schema v2 (`apiVersion`, `kind`, `spec`), which file provisioning refuses."""


def test_there_are_dashboards_panels_and_annotations():
    assert set(DASHBOARDS) == {"overview.json", "fleet.json"}
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
                # Steps are timed for the whole edge, and so is what they are divided by.
                assert ("camera" in EXPORTED[metric]) == ("camera" in labels) or "stage_duration" in target[
                    "expr"
                ], (name, metric)


def test_a_panel_says_where_the_choice_of_a_camera_changes_nothing():
    for name, panel in PANELS:
        asked = " ".join(target["expr"] for target in panel["targets"])
        of_edges = "$edge" in asked and "splitdnn_edge" in asked
        assert (of_edges and "$camera" not in asked) == (ALL_CAMERAS in panel["description"]), name


def test_a_panel_shows_the_clouds_that_were_chosen():
    """Where there is such a choice."""
    for name, panel in PANELS:
        if "fleet" in name:
            for target in panel["targets"]:
                clouds = re.findall(r"[\w:]*splitdnn_cloud_[\w:]+(?:\{[^}]*\})?", target["expr"])
                assert all('instance=~"$cloud"' in selector for selector in clouds), (name, target["expr"])


def test_choices_are_offered_and_used():
    for name, dashboard in DASHBOARDS.items():
        offered = {variable["name"] for variable in dashboard["templating"]["list"]}
        asked = {
            found for panel in dashboard["panels"] for found in re.findall(r"\$([a-z]+)\b", json.dumps(panel))
        }
        assert {"edge", "camera"} <= offered == asked, name
        for variable in dashboard["templating"]["list"]:
            if variable["type"] == "query":
                assert variable["includeAll"], variable["name"]
                assert variable["multi"], variable["name"]
                assert variable["current"]["value"] == ["$__all"], variable["name"]
                assert variable["allValue"] == ".*", variable["name"]


def test_a_panel_links_to_the_sections_that_say_what_to_do():
    text = RUNBOOKS["PAGE"].read_text(encoding="utf-8")
    headings = {
        anchor: html.unescape(title) for anchor, title in re.findall(r'<h\d id="(.+?)">(.*?)</h\d>', text)
    }
    for name, panel in PANELS:
        assert panel["links"], name
        for link in panel["links"]:
            page, _, anchor = link["url"].partition("#")
            assert page == SERVED, name
            assert anchor in headings, (name, anchor)
            assert link["title"] == f"What to do: {headings[anchor]}", name
            assert link["targetBlank"], f"{name}: Grafana would look for the page among its own"


def test_a_panel_names_an_alert_that_it_links_to():
    """What a description says fires stands behind one of its links."""
    for name, panel in PANELS:
        linked = {link["url"].partition("#")[2] for link in panel["links"]}
        fires = re.findall(r"\b([A-Z]\w+[a-z][A-Z]\w+) fires", panel["description"])
        assert {alert.lower() for alert in fires} <= linked, name


def test_dashboards_lead_to_each_other():
    uids = {dashboard["uid"] for dashboard in DASHBOARDS.values()}
    assert len(uids) == len(DASHBOARDS)
    for name, dashboard in DASHBOARDS.items():
        (link,) = dashboard["links"]
        assert link["type"] == "dashboards", name
        assert set(link["tags"]) <= set(dashboard["tags"]), name
        for uid, variable in re.findall(r"/d/([\w-]+)\?var-(\w+)=", json.dumps(dashboard)):
            (other,) = (each for each in DASHBOARDS.values() if each["uid"] == uid)
            assert variable in {each["name"] for each in other["templating"]["list"]}, name


def test_no_query_asks_for_a_label_that_its_metric_lacks():
    for where, expression in SHOWN:
        assert unknown_labels(expression) == [], (where, expression)


@pytest.mark.parametrize(
    ("expression", "label"),
    [
        ('splitdnn_cloud_ready{camera="a"}', "camera"),
        ("sum by (camera) (splitdnn_cloud_ready)", "camera"),
        ("splitdnn_cloud_ready unless on (reason) splitdnn_cloud_rejected_total", "reason"),
        ("splitdnn_cloud_ready * on (job) group_left (codec) splitdnn_cloud_profiles", "codec"),
        ('max by (job) (instance:splitdnn_edge_fallbacks_per_frames:ratio_rate5m{camera=~"a"})', "camera"),
    ],
)
def test_such_a_label_would_be_found(expression, label):
    assert label in {found for _, found in unknown_labels(expression)}


def test_what_is_said_of_a_network_is_what_the_code_says():
    files = ("edge/network/loading.py", "cloud/networks/network.py", "shared/engines/load.py")
    for file in files:
        calls = [
            {keyword.arg for keyword in node.keywords}
            for node in ast.walk(ast.parse((ROOT / file).read_text(encoding="utf-8")))
            if isinstance(node, ast.Call) and ast.unparse(node.func) == "export_build_info"
        ]
        assert calls == [set(NETWORK)], file


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
