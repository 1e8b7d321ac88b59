"""The package in tests/plugin, installed beside SplitDNN: its codec and its source in processes of edge, cloud and bench."""

from __future__ import annotations

import os
import subprocess
import sys

import cv2
import numpy as np
import pytest
from kits import example_package
from kits.common import ROOT, get_json
from kits.deployments import LocalDeployment


@pytest.fixture(scope="module")
def settings(resnet18_bundle):
    return {"model": str(resnet18_bundle.folder), "precision": "float32"}


@pytest.fixture(scope="module")
def installed(tmp_path_factory):
    """PYTHONPATH under which it is installed."""
    return example_package.install(tmp_path_factory.mktemp("site-packages"))


@pytest.fixture(scope="module")
def system(installed, settings):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("PYTHONPATH", installed)
        deployment = LocalDeployment(**settings)
        yield deployment
        deployment.close()


def test_edge_and_cloud_speak_the_codec(system):
    assert get_json(f"{system.cloud_url}/model")["codecs"]["bfloat16"] == 200
    records = system.edge(source="stripes:frames=6", split_point="layer3", codec="bfloat16").finish()
    assert [record["answered_by"] for record in records] == ["cloud"] * 6
    assert {record["codec"] for record in records} == {"bfloat16"}
    assert {record["payload_bytes"] for record in records} == {2 * 256 * 14 * 14}


def test_the_planner_chooses_from_it(system, tmp_path):
    """Where the codec is left open it is surveyed with the others; where it is set, it is what travels."""
    records = system.edge(
        source="stripes:frames=12",
        split_point="layer4",
        codec="auto",
        objective="bytes",
        cache_dir=str(tmp_path),
    ).finish()
    assert len(records) == 12
    surveyed = [path.read_text() for path in tmp_path.rglob("*survey*") if path.is_file()]
    assert any("bfloat16" in text for text in surveyed)


def test_a_cloud_without_the_package_refuses_it_by_name(settings, installed, monkeypatch):
    monkeypatch.delenv("PYTHONPATH", raising=False)
    bare = LocalDeployment(**settings)
    try:
        bare._environment |= {"PYTHONPATH": installed}  # the edge's alone: the cloud has started
        run = bare.edge(source="stripes:frames=3", split_point="layer3", codec="bfloat16", log_level="debug")
        records = run.finish()
    finally:
        bare.close()
    assert [record["answered_by"] for record in records] == ["edge"] * 3
    assert records[0]["fallback"] == "refused"
    assert "unknown codec 'bfloat16'" in run.said()


def test_the_report_of_rates_measures_it(installed, home, tmp_path):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    generator = np.random.default_rng(0)
    for number in range(6):
        small = generator.integers(0, 256, (7, 7, 3), dtype=np.uint8)
        cv2.imwrite(str(pictures / f"{number}.png"), cv2.resize(small, (240, 240)))
    done = subprocess.run(
        [sys.executable, "-m", "bench", "rate", "--quick", "--model", "resnet18", "--weights", "random",
         "--images", str(pictures), "--split-points", "avgpool", "--results", str(tmp_path)],
        cwd=ROOT, env=os.environ | {"PYTHONPATH": installed, "HOME": str(home)}, capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    (line,) = (line for line in done.stdout.splitlines() if line.startswith("avgpool bfloat16 "))
    assert " bytes " in line
    assert any("bfloat16" in path.read_text() for path in tmp_path.glob("*.md")), [*tmp_path.iterdir()]
