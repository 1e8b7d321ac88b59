"""Pictures of dashboards: numbers with their units, names, colours, tables, and every panel of both drawn."""

from __future__ import annotations

import math
import sys

import pytest
from kits.monitoring import DASHBOARDS, ROOT

sys.path.insert(0, str(ROOT / "scripts"))

import draw_dashboards
import panels

STEPS = [{"color": "green", "value": None}, {"color": "red", "value": 0.2}]


class Series:
    """Answers everything with two edges, whose values are 1 and 2."""

    start, end = 0.0, 600.0

    def now(self, expression: str) -> list[dict]:
        return [
            {"metric": {"instance": f"edge-{number}", "network": "ab"}, "value": [0, str(number)]}
            for number in (1, 2)
            if expression
        ]

    def over_time(self, expression: str) -> list[dict]:
        return [
            {"metric": each["metric"], "values": [[when, each["value"][1]] for when in (300, 600)]}
            for each in self.now(expression)
        ]


class Nothing(Series):
    def now(self, expression: str) -> list[dict]:
        return []


@pytest.mark.parametrize(
    ("value", "unit", "text"),
    [
        (0.0314, "s", "31 ms"),
        (2.5, "s", "2.5 s"),
        (0.256, "percentunit", "26 %"),
        (12_345, "bytes", "12.3 kB"),
        (3e6, "bps", "3 Mbit/s"),
        (7, "suffix: frames/s", "7 frames/s"),
        (7, "none", "7"),
        (0, "reqps", "0 /s"),
        (float("nan"), "s", "–"),
    ],
)
def test_a_number_has_its_unit(value, unit, text):
    assert panels.text_of(value, {"unit": unit}) == text


def test_a_number_has_the_panels_decimals_and_may_be_bare():
    assert panels.text_of(2, {"unit": "suffix: /s", "decimals": 2}) == "2.00 /s"
    assert panels.text_of(2000, {"unit": "suffix: /s"}, bare=True) == "2 k"


def test_a_colour_is_that_of_the_threshold_reached():
    green, red = panels.colour_at(0.19, STEPS), panels.colour_at(0.2, STEPS)
    assert green != red


def test_a_name_is_made_of_labels_and_overrides_are_found_by_it():
    assert panels.name_of({"legendFormat": "up {{camera}} {{absent}}"}, {"camera": "gate"}) == "up gate "
    overrides = [
        {"matcher": {"id": "byName", "options": "up"}, "properties": [{"id": "a", "value": 1}]},
        {"matcher": {"id": "byRegexp", "options": "/^up/"}, "properties": [{"id": "b", "value": 2}]},
    ]
    panel = {"fieldConfig": {"overrides": overrides}}
    assert panels.overridden(panel, "up") == {"a": 1, "b": 2}
    assert panels.overridden(panel, "upper") == {"b": 2}
    assert panels.overridden(panel, "down") == {}


def test_a_line_ends_where_values_are_missing():
    found = panels.with_gaps([(0, "1"), (5, "2"), (20, "3"), (25, "4")])
    assert list(found) == [0, 5, 10, 20, 25]
    assert math.isnan(found[10])
    assert panels.with_gaps([]) == {}
    assert panels.with_gaps([(5, "1")]) == {5: 1}


def test_a_table_merges_its_targets_by_instance_and_renames_what_it_shows():
    organised = {
        "excludeByName": {"Value #B": True},
        "renameByName": {"instance": "edge", "Value #A": "share"},
        "indexByName": {"instance": 0, "Value #A": 1},
    }
    panel = {
        "targets": [{"refId": "A", "expr": "a"}, {"refId": "B", "expr": "b"}],
        "transformations": [{"id": "organize", "options": organised}],
        "fieldConfig": {
            "defaults": {"unit": "none"},
            "overrides": [
                {
                    "matcher": {"id": "byName", "options": "share"},
                    "properties": [{"id": "unit", "value": "percentunit"}],
                }
            ],
        },
    }
    columns, rows = panels.table_of(panel, Series())
    assert columns == ["edge", "share", "network"]
    assert rows == [["edge-1", "100 %", "ab"], ["edge-2", "200 %", "ab"]]


def test_variables_have_their_first_values():
    assert draw_dashboards.first_values(DASHBOARDS["fleet.json"]) == {
        "edge": ".*",
        "camera": ".*",
        "cloud": ".*",
        "worst": "10",
    }


@pytest.mark.slow
@pytest.mark.parametrize("name", sorted(DASHBOARDS))
@pytest.mark.parametrize("source", [Series(), Nothing()], ids=["data", "nothing"])
def test_every_panel_is_drawn(name, source):
    board = DASHBOARDS[name]
    drawn = draw_dashboards.picture(board, source)
    assert drawn.width == 1360
    assert drawn.height > 3000
    top = draw_dashboards.picture(board, source, 0, 5)
    assert top.height == pytest.approx(
        5 * drawn.height / max(panel["gridPos"]["y"] + panel["gridPos"]["h"] for panel in board["panels"]),
        abs=2,
    )
