"""The picture of Home Assistant shows the devices that are announced, with the values of their states."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(scope="module")
def script():
    return runpy.run_path(str(ROOT / "scripts" / "home_assistant_picture.py"))


def test_the_devices_are_those_that_an_edge_announces(script):
    assert dict(script["devices"]()) == {
        "SplitDNN on edge-1": [("binary_sensor", "Cloud", "Connected")],
        "door": [
            ("sensor", "Seen", "tabby cat"), ("sensor", "Objects", "0"), ("binary_sensor", "Camera", "Connected"),
        ],
        "yard": [
            ("sensor", "Seen", "2 person, dog"), ("sensor", "Objects", "3"), ("binary_sensor", "Camera", "Connected"),
        ],
    }  # fmt: skip


def test_they_are_drawn(script):
    drawn = script["picture"]()
    assert drawn.width > 3 * drawn.height
    assert len(drawn.getcolors(1 << 20)) > 50
