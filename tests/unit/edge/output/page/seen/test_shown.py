"""A record as the page shows it: short, finite, and with nothing in it that acts."""

from __future__ import annotations

import json
import math

import numpy as np
import pytest
from kits.edge import record
from kits.edge_page import boxes

from edge.output.page.seen.shown import MAX_BOXES, shown
from shared.tasks.detection.boxes import Box, Boxes

EVIL = '<img src=x onerror=alert(1)>\n\x1b[2J\u202e"'


def test_classes_and_who_answered():
    said = shown(record(5, fallback="late", answered_by="edge", cloud=None))
    assert (said["frame"], said["answered_by"], said["fallback"]) == (5, "edge", "late")
    assert (said["headline"], said["findings"]) == ("cock", [["cock", 0.875]])
    assert "boxes" not in said


def test_boxes_are_the_records_own_numbers():
    answer = boxes((1.25, 2.5, 11.75, 22.0), (3.0, 4.0, 5.0, 6.0), size=(640, 480), more=7)
    said = shown(record(answer=answer))
    assert said["boxes"] == [["cup", 0.75, 1.25, 2.5, 11.75, 22.0], ["cup", 0.75, 3.0, 4.0, 5.0, 6.0]]
    assert (said["size"], said["more"]) == ([640, 480], 7)


def test_a_crowd_is_cut_off_and_counted():
    answer = boxes(*((float(x), 0.0, x + 1.0, 1.0) for x in range(300)), more=4)
    said = shown(record(answer=answer))
    assert len(said["boxes"]) == MAX_BOXES
    assert said["more"] == 4 + 300 - MAX_BOXES


def test_a_detector_that_could_not_answer_has_no_boxes():
    said = shown(record(answer=Boxes(), answered_by="nobody"))
    assert said["headline"] == ""
    assert "boxes" not in said


def test_names_are_short_and_nothing_in_them_acts():
    top = ({"class_id": 1, "label": EVIL * 50, "probability": 0.5},)
    for said in (shown(record(top=top)), shown(record(answer=boxes((0.0, 0.0, 1.0, 1.0), label=EVIL * 50)))):
        text = json.dumps(said, ensure_ascii=False)
        assert len(text) < 1500
        for character in "\x1b\u202e\n":
            assert character not in text


@pytest.mark.parametrize("probability", [math.nan, math.inf])
def test_numbers_are_finite_or_missing(probability):
    said = shown(record(top=({"class_id": 1, "label": "a", "probability": probability},)))
    assert said["findings"] == [["a", None]]
    json.dumps(said, allow_nan=False)


def test_numbers_of_a_package_become_those_of_json():
    """One that JSON has not would keep the states of all cameras from the page."""
    box = Box(1, "cup", np.float32(0.5), (np.float32(1), np.float32(math.nan), np.float32(3), np.float32(4)))
    said = shown(record(answer=Boxes((box,), (np.int64(64), np.int64(48)), np.int64(2))))
    assert json.loads(json.dumps(said, allow_nan=False))["boxes"] == [["cup", 0.5, 1.0, None, 3.0, 4.0]]
    assert (said["size"], said["more"]) == ([64, 48], 2)


class Rude:
    """The answer of a package that fails."""

    def headline(self):
        raise RuntimeError

    findings = shows = fields = headline


def test_an_answer_that_fails_fails_alone():
    said = shown(record(3, answer=Rude()))
    assert said["frame"] == 3
    assert "cannot be shown" in said["headline"]
