"""The demo: whom it stays for, and which network it shows."""

import importlib.util
import json
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture
def demo(monkeypatch):
    for name in ("SPLITDNN_FRAMES", "SPLITDNN_AT_END"):
        monkeypatch.delenv(name, raising=False)
    monkeypatch.setattr(sys, "argv", ["demo.py"])
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    spec = importlib.util.spec_from_file_location("demo", ROOT / "scripts" / "demo.py")
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_it_stays_for_somebody_at_a_terminal(demo):
    assert demo._is_watched()


@pytest.mark.parametrize("name", ["SPLITDNN_FRAMES", "SPLITDNN_AT_END"])
def test_it_ends_where_an_end_was_asked_for(demo, monkeypatch, name):
    monkeypatch.setenv(name, "20")
    assert not demo._is_watched()


def test_it_ends_by_itself_after_so_many_frames_and_without_a_terminal(demo, monkeypatch):
    monkeypatch.setattr(sys, "argv", ["demo.py", "--frames", "20"])
    assert not demo._is_watched()
    monkeypatch.setattr(sys, "argv", ["demo.py"])
    monkeypatch.setattr(sys.stdout, "isatty", lambda: False)
    assert not demo._is_watched()


def test_a_detector_at_hand_is_found_among_other_bundles(demo, tmp_path):
    assert demo._detector(tmp_path / "nowhere") is None
    for name, text in {
        "a-classifier": json.dumps({"task": {"name": "classify"}}),
        "b-broken": "{",
        "c-odd": "[]",
        "d-detector": json.dumps({"task": {"name": "detect"}}),
        "e-detector": json.dumps({"task": {"name": "detect"}}),
    }.items():
        (tmp_path / name).mkdir()
        (tmp_path / name / "bundle.json").write_text(text)
    assert demo._detector(tmp_path) == tmp_path / "d-detector"
