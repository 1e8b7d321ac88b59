"""docs/cameras.md and its example say what the code does."""

import re
import shutil
from pathlib import Path

from edge.cameras.file import MAX_CAMERAS, read_cameras
from edge.cameras.settings import MAX_MASKS, CameraSettings
from edge.config import EdgeSettings
from edge.metrics import EdgeMetrics

ROOT = Path(__file__).resolve().parents[2]
TEXT = (ROOT / "docs/cameras.md").read_text(encoding="utf-8")


def test_every_key_is_explained_and_no_other():
    table = re.findall(r"^\| (`.+?) \|", TEXT, re.MULTILINE)
    explained = {name for row in table for name in re.findall(r"`(\w+)`", row)}
    assert explained == {*CameraSettings.model_fields, "source_file"}


def test_the_limits_are_those_of_the_code():
    assert f"up to {MAX_CAMERAS} cameras" in TEXT
    assert f"{MAX_MASKS} at most" in TEXT


def test_every_metric_of_a_camera_is_named_and_no_other():
    (line,) = re.findall(r"label `camera`: (.+?), each with", TEXT.replace("\n", " "))
    said = {name.removesuffix("_total") for name in re.findall(r"`(\w+)`", line)}
    metrics = EdgeMetrics(["a"])
    labelled = {
        metric._name.removeprefix("splitdnn_edge_").removesuffix("_total")
        for metric in vars(metrics).values()
        if "camera" in getattr(metric, "_labelnames", ())
    }
    assert said == labelled


def test_the_example_is_taken(tmp_path):
    shutil.copy(ROOT / "docs/examples/cameras.toml", tmp_path)
    (tmp_path / "yard.url").write_text("rtsp://user:password@10.0.0.6/1\n")
    cameras = read_cameras(EdgeSettings(cameras=str(tmp_path / "cameras.toml")))
    assert [camera.name for camera in cameras] == ["gate", "yard", "door", "archive"]
    assert cameras[1].source == "rtsp://user:password@10.0.0.6/1"
    set_somewhere = {name for camera in cameras for name in camera.model_fields_set}
    assert {"crop", "zone", "masks", "fps", "size", "snapshot_fps", "objective"} <= set_somewhere
