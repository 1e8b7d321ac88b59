"""The join of records and events: it finds what is missing, what is strange, and what came out of order."""

from __future__ import annotations

import json

from bench.soak.events.join import derive, join, noticing
from bench.soak.events.records import CAMERAS, draw_records
from edge.output.events.teller import Teller
from shared.observing.json_lines import encoded


def a_run(frames=4000):
    """Its records as their file has them, and the events of its sink, as they are sent."""
    events = []
    notice = noticing(Teller(events.append, {}))
    lines = []
    for record in draw_records(frames, seed=1):
        lines.append(encoded(record.fields()).decode())
        notice(record)
    return lines, [json.loads(event.json()) for event in events]


LINES, SENT = a_run()


def test_something_happens_on_every_camera():
    assert {each["camera"] for each in SENT} == set(CAMERAS)
    assert {each["kind"] for each in SENT} == {"class_changed", "object_appeared", "object_left"}
    assert len(SENT) > 50


def test_what_arrived_whole_and_in_order_differs_in_nothing():
    found = join(derive(LINES), SENT)
    assert (found.expected, found.received, found.difference) == (len(SENT), len(SENT), 0)
    assert (found.repeated, found.out_of_order) == (0, 0)


def test_what_arrives_again_counts_once():
    found = join(derive(LINES), [*SENT[:20], *SENT[10:]])
    assert (found.repeated, found.difference, found.out_of_order) == (10, 0, 0)


def test_one_that_is_missing_is_found():
    found = join(derive(LINES), SENT[:7] + SENT[8:])
    assert (found.missing, found.strange) == (1, 0)
    assert found.examples[0].startswith("missing: ")


def test_one_that_is_another_is_found():
    other = SENT[3] | {"frame": SENT[3]["frame"] + 1}
    found = join(derive(LINES), [*SENT[:3], other, *SENT[4:]])
    assert (found.missing, found.strange) == (1, 1)


def test_one_that_comes_too_late_is_found():
    door = [each for each in SENT if each["camera"] == "door"]
    others = [each for each in SENT if each["camera"] != "door"]
    found = join(derive(LINES), [*others, door[1], door[0], *door[2:]])
    assert (found.difference, found.out_of_order) == (0, 1)
