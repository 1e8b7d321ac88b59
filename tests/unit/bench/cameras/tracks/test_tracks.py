"""The reference that follows pixels, and how the tracker is compared with it."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest

from bench.cameras.tracks.command import Tally
from bench.cameras.tracks.reference import ByFlow
from edge.output.events.tracks import Tracks
from shared.tasks.detection.boxes import Box

SIDE, STEP = 40, 6


def box(x, y=60):
    return Box(0, "thing", 0.9, (float(x), float(y), float(x + SIDE), float(y + SIDE)))


@pytest.fixture(scope="module")
def scene():
    """Two patterns that pass each other: the pictures, and where each pattern is in them."""
    rng = np.random.default_rng(3)
    soft = [np.kron(rng.integers(0, 256, (10, 10, 3)), np.ones((4, 4, 1))).astype(np.uint8) for _ in range(2)]
    pictures, places = [], []
    for number in range(20):
        picture = np.full((160, 240, 3), 90, np.uint8)
        where = (20 + STEP * number, 20), (180 - STEP * number, 90)
        for pattern, (x, y) in zip(soft, where, strict=True):
            picture[y : y + SIDE, x : x + SIDE] = pattern
        pictures.append(picture)
        places.append(where)
    return pictures, places


def test_it_knows_an_object_by_its_pixels_also_after_its_box_was_missing(scene):
    pictures, places = scene
    flow, found = ByFlow(2.0), []
    for number, (picture, where) in enumerate(zip(pictures, places, strict=True)):
        shown = where if number not in (7, 8, 9) else where[:1]
        found.append(flow.look(picture, [box(*each) for each in shown], 0.1 * number))
    assert found == [[1, 2] if number not in (7, 8, 9) else [1] for number in range(20)]


def test_a_swap_counts_as_a_switch_of_both_and_none_as_none(scene):
    pictures, places = scene
    for swapped in (False, True):
        tally, tracks, flow = Tally(), Tracks(1, 2.0), ByFlow(2.0)
        for number, (picture, where) in enumerate(zip(pictures, places, strict=True)):
            boxes = [box(*each) for each in where]
            appeared, left = tracks.look(boxes, 0.1 * number)
            tally.told |= {each.number for each in appeared}
            tally.left += len(left)
            theirs = flow.look(picture, boxes, 0.1 * number)
            tally.add(boxes, tracks, theirs[::-1] if swapped and number >= 10 else theirs)
        row = tally.row(Path("clip.mp4"))
        assert (row["objects told"], row["objects by flow"], row["of them left"]) == (2, 2, 0)
        assert row["switches"] == row["merges"] == 2 * swapped
