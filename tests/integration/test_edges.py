"""Several edges on one machine, as compose.edges.yaml has them: Prometheus finds them under any name, and each keeps records of its own."""

from __future__ import annotations

import json
import re
import urllib.request

import pytest
from kits import common as kit
from kits.compose import compose

pytestmark = pytest.mark.timeout(900)
EDGES = tuple(compose("compose.edges.yaml")["services"])
FILES = ("--file", "compose.yaml", "--file", "compose.edges.yaml")


CAMERAS = """
[[camera]]
name = "gate"
source = "synthetic:fps=0,frames=12"

[[camera]]
name = "yard"
source = "synthetic:fps=0,frames=12"
"""


def test_a_cameras_file_lies_in_a_folder_that_the_edge_alone_sees(system, tmp_path, monkeypatch):
    (tmp_path / "cameras.toml").write_text(CAMERAS)
    tmp_path.chmod(0o755)  # the container's user is none of this machine
    folder = str(tmp_path)
    if system.prometheus():
        monkeypatch.setitem(system._environment, "SPLITDNN_CAMERAS_DIR", folder)
        folder = "/cameras"
    records = system.edge(cameras=f"{folder}/cameras.toml").finish()
    for name in ("gate", "yard"):
        assert [each["frame"] for each in records if each["camera"] == name] == list(range(12)), name
    assert {each["answered_by"] for each in records} == {"cloud"}


@pytest.fixture(scope="module")
def edges(system):
    if system.prometheus() is None:
        pytest.skip("no Docker engine answers here; contract tests check the files")
    system._compose(*FILES, "up", "--detach", "--wait", *EDGES, seconds=kit.START_S)
    yield system
    system._compose(*FILES, "rm", "--force", "--stop", *EDGES)


def test_prometheus_finds_every_edge_and_names_its_camera(edges):
    expression = 'splitdnn_edge_frames_total{job="edge", outcome="cloud"} > 0'
    found = kit.wait_for(
        lambda: len(series := edges.query(expression)) == len(EDGES) and series, "every edge's frames"
    )
    assert {each["metric"]["camera"] for each in found} == set(EDGES)
    assert len({each["metric"]["instance"] for each in found}) == len(EDGES)
    assert [each["value"][1] for each in edges.query('up{job="edge"}')] == ["1"] * len(EDGES)


def test_each_edge_keeps_records_of_its_own(edges):
    for name in EDGES:
        code = f"print(open('/results/{name}.jsonl').readline())"
        record = json.loads(edges._compose(*FILES, "exec", "--no-TTY", name, "python", "-c", code))
        assert (record["camera"], record["frame"]) == (name, 0)


def test_what_alerts_link_to_opens(edges):
    groups = kit.get_json(f"{edges.prometheus()}/api/v1/rules?type=alert")["data"]["groups"]
    links = [rule["annotations"]["runbook_url"] for group in groups for rule in group["rules"]]
    assert len(links) > 10
    (page,) = {link.partition("#")[0] for link in links}
    with urllib.request.urlopen(
        page.replace("{{ $externalURL }}", edges.prometheus()), timeout=10
    ) as response:
        assert response.headers.get_content_type() == "text/html"
        text = response.read().decode()
    assert {link.partition("#")[2] for link in links} <= set(re.findall(r' id="([^"]+)"', text))


def test_a_stopped_edge_is_missed_and_health_is_asked_by_head_as_well(edges):
    code = (
        "import urllib.request as u; "
        "print(u.urlopen(u.Request('http://127.0.0.1:8882/readyz', method='HEAD'), timeout=5).status)"
    )
    assert edges._compose(*FILES, "exec", "--no-TTY", EDGES[0], "python", "-c", code).strip() == "200"
    here = f'up{{job="edge"}} and on (instance) splitdnn_edge_camera_running{{camera="{EDGES[0]}"}} == 1'
    (seen,) = kit.wait_for(lambda: edges.query(here), "the edge's metrics")
    edges._compose(*FILES, "kill", EDGES[0])
    # Other tests' edges, too, may have been killed in the last minutes.
    alert = f'ALERTS{{alertname="EdgeDown", instance="{seen["metric"]["instance"]}"}}'
    (missed,) = kit.wait_for(lambda: edges.query(alert), "a pending or firing alert", 120)
    assert missed["metric"]["severity"] == "critical"
