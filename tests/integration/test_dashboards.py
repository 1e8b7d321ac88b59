"""Both dashboards, panel by panel, asked of the Prometheus of a deployment in which edges send frames."""

from __future__ import annotations

import math
import re
import subprocess
import sys
import urllib.request
from typing import TYPE_CHECKING, Any

import pytest
from kits import common as kit
from kits.monitoring import DASHBOARDS, PANELS, filled_in

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kits.deployments import ComposeDeployment

pytestmark = pytest.mark.timeout(900)
EDGES = 3
EMPTY = {
    "fleet.json:5": "Compose's Prometheus asks no balancer",
    "fleet.json:42": "all edges and clouds run the same version and network",
}
"""Panels that rightly have no data here, and why; all others have some."""
SPREAD = """
services:
  spread: # one cloud by two names: an edge with several addresses; and events that nobody takes
    extends: {{ file: {root}/compose.yaml, service: edge }}
    environment:
      SPLITDNN_NAME: spread
      SPLITDNN_SOURCE: synthetic:fps=2
      SPLITDNN_CLOUD_URL: http://cloud:8881,http://{project}-cloud-1:8881
      SPLITDNN_EVENTS: mqtt://127.0.0.1:1883
      SPLITDNN_MAX_BYTES_PER_HOUR: 1000000000
"""


@pytest.fixture(scope="module")
def scene(system, tmp_path_factory) -> Iterator[ComposeDeployment]:
    """Three edges, each with the drawn camera, and one with a camera of another name, two addresses of the cloud, and a target of events."""
    if system.prometheus() is None:
        pytest.skip(
            "no Docker engine answers here, so there is no Prometheus; contract tests check names and rules"
        )
    file = tmp_path_factory.mktemp("compose") / "spread.yaml"
    project = system._environment["COMPOSE_PROJECT_NAME"]
    file.write_text(SPREAD.format(root=kit.ROOT, project=project))
    files = ("--file", "compose.yaml", "--file", str(file))
    with system.scaled(EDGES) as answered:
        assert len(answered) == EDGES
        assert all(count > 0 for count in answered)
        try:
            system._compose(*files, "up", "--detach", "--wait", "--no-deps", "spread", seconds=kit.START_S)
            yield system
        finally:
            system._compose(*files, "rm", "--force", "--stop", "spread")


def panel_queries() -> list[tuple[str, dict[str, Any], dict[str, Any]]]:
    return [(name, panel, target) for name, panel in PANELS for target in panel["targets"]]


def test_every_panel_has_data_or_a_reason_to_have_none(scene):
    for name, panel, target in panel_queries():
        asked = filled_in(target["expr"])
        if name in EMPTY:
            assert scene.query(asked) == [], (EMPTY[name], panel["title"])
        else:
            found = kit.wait_for(lambda asked=asked: scene.query(asked), f"{name} {panel['title']}: {asked}")
            named = set(re.findall(r"\{\{(\w+)\}\}", target.get("legendFormat", "")))
            assert all(named <= set(series["metric"]) for series in found), (name, panel["title"])


def test_every_rule_can_be_evaluated(scene):
    groups = kit.get_json(f"{scene.prometheus()}/api/v1/rules")["data"]["groups"]
    rules = {rule["name"]: rule["health"] for group in groups for rule in group["rules"]}
    assert "CloudDown" in rules
    assert set(rules.values()) <= {"ok", "unknown"}


def test_tables_have_the_columns_that_they_rename_and_order(scene):
    for name, panel in PANELS:
        if panel["type"] == "table" and name not in EMPTY:
            columns = {"Time"}
            for target in panel["targets"]:
                value = f"Value #{target['refId']}" if len(panel["targets"]) > 1 else "Value"
                columns |= {
                    value,
                    *(label for row in scene.query(filled_in(target["expr"])) for label in row["metric"]),
                }
            for step in panel.get("transformations", []):
                if step["id"] == "organize":
                    said = {
                        **step["options"].get("renameByName", {}),
                        **step["options"].get("indexByName", {}),
                    }
                    assert set(said) <= columns, (name, panel["title"])


def test_the_cameras_and_edges_to_choose_from_are_those_that_run(scene):
    for dashboard in DASHBOARDS.values():
        for variable in dashboard["templating"]["list"]:
            if variable["type"] == "query":
                series, label = re.fullmatch(r"label_values\((.+), (\w+)\)", variable["definition"]).groups()
                match = urllib.request.quote(filled_in(series))
                values = kit.get_json(f"{scene.prometheus()}/api/v1/label/{label}/values?match[]={match}")[
                    "data"
                ]
                if label == "camera":
                    assert "spread" in values
                    assert len(values) > 1
                else:
                    assert len(values) == {"edge": EDGES + 1, "cloud": 1}[variable["name"]]


def test_a_camera_that_is_chosen_is_shown_alone(scene):
    """And one that is not there is nothing, however it is asked for."""
    shown = 0
    for name, panel, target in panel_queries():
        if "$camera" in target["expr"]:
            chosen = scene.query(filled_in(target["expr"], camera="spread"))
            assert {series["metric"].get("camera", "spread") for series in chosen} <= {"spread"}, (
                name,
                panel["title"],
            )
            shown += len(chosen)
            nothing = scene.query(filled_in(target["expr"], camera="nobody"))
            values = [float(series["value"][1]) for series in nothing]
            assert all(value == 0 or math.isnan(value) for value in values), (name, panel["title"])
    assert shown > 20


def test_what_panels_link_to_is_served(scene):
    with urllib.request.urlopen(f"{scene.prometheus()}/consoles/runbooks.html", timeout=10) as response:
        anchors = set(re.findall(r' id="([^"]+)"', response.read().decode()))
    linked = {link["url"].partition("#")[2] for _, panel in PANELS for link in panel["links"]}
    assert len(linked) > 20
    assert linked <= anchors


@pytest.mark.parametrize("name", sorted(DASHBOARDS))
def test_a_picture_is_drawn_of_what_prometheus_answers(scene, tmp_path, name):
    """As those in docs/pictures were."""
    output = tmp_path / "picture.webp"
    rows = max(panel["gridPos"]["y"] for panel in DASHBOARDS[name]["panels"][:20])
    subprocess.run(
        [sys.executable, "scripts/draw_dashboards.py", f"--prometheus={scene.prometheus()}", f"--dashboard={name.removesuffix('.json')}",
         f"--rows={rows}", "--minutes=2", f"--output={output}"],
        cwd=kit.ROOT, check=True, timeout=120,
    )  # fmt: skip
    assert 10_000 < output.stat().st_size < 150_000
