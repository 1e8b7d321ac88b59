"""What is written of the cells: the targets, the overhead, and where sessions lose."""

from dataclasses import replace
from types import SimpleNamespace

import pytest

from bench.link.stream.choices import HTTP, SESSION, Choice
from bench.link.stream.conditions import FREE, Condition
from bench.link.stream.figures import Figures
from bench.link.stream.tables import Row, line, losing, tables, targets

INTER = "layer3.4/calibrated-inter@2.8"
GOOD = Figures(
    seconds=20.0, answers=140, by_cloud=120, read=200, dropped=60, lost=0, wrong=0, not_judged=0, age_p50_ms=400.0,
    age_p95_ms=700.0, cloud_age_p50_ms=420.0, cloud_age_p95_ms=720.0, macs_share=0.25 * 120 / 140, divergence=0.03,
    agreement=0.9, payload_bytes=120_000, up_bytes=125_000, down_bytes=2_200, header_bytes=30_000, before_bytes=500,
    cpu_ms=40.0,
)  # fmt: skip


def row(found=GOOD, *, link="50/200", choice=INTER, way=SESSION, tls=False, clip="car"):
    key = {"clip": clip, "link": link, "choice": choice, "way": way, "fps": 25.0, "tls": tls}
    return Row(key, found)


def missed(found, choice=INTER):
    return [each.name for each in targets(found, Choice.read(choice)) if not each.is_met(found)]


def test_a_cell_that_reaches_everything():
    assert missed(GOOD) == []


@pytest.mark.parametrize(
    ("changes", "name"),
    [
        ({"answers": 99, "macs_share": 0.25 * 120 / 99}, "answers/s"),
        ({"by_cloud": 111, "macs_share": 0.25 * 111 / 140}, "MACs in the cloud"),
        ({"divergence": 0.041}, "KL"),
        ({"divergence": None}, "KL"),
        ({"age_p95_ms": 801.0}, "age p95 ms"),
        ({"down_bytes": 26_000}, "wire / payload"),
        ({"lost": 1}, "lost"),
        ({"wrong": 1}, "wrong"),
    ],
)
def test_what_a_cell_misses(changes, name):
    assert missed(replace(GOOD, **changes)) == [name]


def test_cells_that_leave_little_to_the_cloud_are_to_be_faster_and_nothing_else_is_asked_of_the_edge_alone():
    pooled = replace(GOOD, macs_share=0.0005)
    assert missed(pooled, "avgpool/calibrated@0.6") == ["answers/s"]
    assert missed(replace(pooled, answers=200), "avgpool/calibrated@0.6") == []
    alone = replace(GOOD, by_cloud=0, macs_share=0.0, divergence=None, payload_bytes=0, answers=200)
    assert missed(alone, "output") == []


def test_tables_hold_every_cell_and_what_is_left_out():
    free = row(link=FREE, choice="layer3/calibrated@2.3", way=HTTP)
    options = SimpleNamespace(
        conditions=lambda: [Condition.read("50/200", 0.05)], overhead="layer3/calibrated@2.3", fps=0.0, seconds=20.0,
        warm_s=6.0, deadline_s=0.7, in_flight=4,
    )  # fmt: skip
    rows = [row(), row(way=HTTP), row(link="lte"), free]
    found = {table.name: table for table in tables(rows, options, ["input/h265: unknown codec"])}
    assert [each["way"] for each in found["link-stream-targets"].rows] == [SESSION, HTTP]
    assert len(found["link-stream"].rows) == 3
    assert "input/h265: unknown codec" in found["link-stream"].note
    assert "5 % of segments late by 400 ms" in found["link-stream"].note
    (overhead,) = found["link-stream-overhead"].rows
    assert (overhead["payload B"], overhead["above it B"], overhead["TCP/IP B"]) == (1000, 60, 250)
    assert "link-stream-losing" not in found, "nothing is worse"


def test_a_session_that_is_worse_is_shown_with_what_it_is_worse_than():
    better = replace(GOOD, age_p95_ms=600.0, up_bytes=100_000)
    alone = replace(GOOD, answers=600)
    found = losing([row(), row(better, way=HTTP), row(alone, choice="output", way=HTTP), row(clip="other")])
    assert [(each["in"], each["against"], each["session"], each["its"]) for each in found] == [
        ("age p95 ms", "http", 700.0, 600.0),
        ("bytes for an answer of the cloud", "http", 1060.0, pytest.approx(102_200 / 120)),
        ("answers/s", "edge only", 7.0, 30.0),
    ]


def test_a_line_says_the_cell():
    assert line(row()) == (
        "car 50/200 layer3.4/calibrated-inter@2.8 session: 7.0/s, 86 % by the cloud, age p95 700 ms, KL 0.0300, 1000 B + 60, lost 0, "
        "wrong 0, not judged 0"
    )
    nothing = replace(GOOD, answers=0, by_cloud=0, age_p95_ms=None, divergence=None, payload_bytes=0)
    assert "age p95 nan ms, KL -, 0 B + -" in line(row(nothing))
