"""The report on the pages: what a viewer asks for, which way its figures go, and one run of it."""

from __future__ import annotations

import csv
import shutil

import pytest
from kits.bundles import tiny

from bench.load.page.command import main, pages_table, viewers_table
from bench.load.page.options import PageOptions
from bench.load.page.paint import Paint
from bench.load.page.viewer import Eyes, states
from bench.load.page.windows import Window


def state(**frames):
    """As an edge's page is told of cameras whose latest pictures are of these frames."""
    return {
        "cameras": [{"key": name, "picture": number and {"frame": number}} for name, number in frames.items()]
    }


def test_states_are_read_between_heartbeats_until_the_stream_is_over():
    text = b'data: {"a": 1}\n\nevent: beat\ndata: 1\n\ndata: {"a": 2}\r\n\r\nevent: over\ndata: 1\n\ndata: {"a": 3}\n\n'
    assert list(states(iter(text.splitlines(keepends=True)))) == [{"a": 1}, {"a": 2}]
    assert list(states(iter([b'data: {"a": 1}\n', b"\n", b"data: "]))) == [{"a": 1}], "cut off"


def test_eyes_ask_for_each_picture_once_and_say_every_second_that_they_look():
    now = [0.0]
    eyes = Eyes(lambda: now[0])
    assert eyes(state(gate=None)) == ["/watch?camera=gate"]
    assert eyes(state(gate=7)) == ["/snapshot/gate.jpg?frame=7"]
    assert eyes(state(gate=7)) == []
    now[0] = 1.0
    assert eyes(state(gate=9, **{"back yard/2": 3})) == [
        "/watch?camera=gate&camera=back+yard%2F2",
        "/snapshot/gate.jpg?frame=9",
        "/snapshot/back%20yard%2F2.jpg?frame=3",
    ]


def test_viewers_are_compared_with_none_round_by_round():
    options = PageOptions.read(["--viewers", "3", "--rounds", "2"])
    none = [Window(10.0, 10.0, 5.0, 0.0, 0.0), Window(20.0, 10.0, 5.0, 0.0, 0.0)]
    some = [Window(12.0, 10.0, 5.5, 4.0, 3.9), Window(23.0, 10.0, 5.5, 4.0, 3.9)]
    without, beside = viewers_table(options, {0: none, 3: some}).rows
    assert (without["viewers"], beside["viewers"]) == (0, 3)
    assert without["target"] is None
    assert beside["more than without"].median == pytest.approx(2.5)
    assert beside["target"] == "at most 3"


def test_pages_are_told_with_what_they_may_take():
    options = PageOptions.read(["--paints", "2"])
    paints = {"edge": [Paint(0.1, 0.2), Paint(0.2, 0.4)], "cloud": [Paint(0.1, 0.1), Paint(0.1, 0.1)]}
    rows = pages_table(options, {"edge": (50_000, 15_000), "cloud": (40_000, 12_000)}, paints).rows
    assert [row["page"] for row in rows] == ["edge", "cloud"]
    assert rows[0]["first contentful paint, s"].median == pytest.approx(0.15)
    assert {row["target"] for row in rows} == {"at most 60000 bytes and 0.3 s"}


def test_quick_is_less_of_everything():
    usual, quick = PageOptions.read([]), PageOptions.read(["--quick"])
    assert (quick.rounds, quick.paints) < (usual.rounds, usual.paints)
    assert quick.seconds < usual.seconds


@pytest.mark.slow
@pytest.mark.skipif(not shutil.which("chromium"), reason="no chromium here")
def test_a_run_of_it(tmp_path):
    flags = ["--model", str(tiny().folder), "--split-point", "pool", "--codec", "float32"]
    small = ["--rounds", "1", "--paints", "1", "--seconds", "2", "--viewers", "2", "--fps", "5"]
    assert main([*flags, *small, "--results", str(tmp_path)]) == 0
    rows = {}
    for name in ("page", "page-viewers"):
        with (tmp_path / f"{name}.csv").open() as file:
            rows[name] = list(csv.DictReader(line for line in file if not line.startswith("#")))
    assert [row["page"] for row in rows["page"]] == ["edge", "cloud"]
    for row in rows["page"]:
        assert 1000 < int(row["bytes"]) <= 60_000
        assert 0 < float(row["first contentful paint, s"]) <= float(row["first state shown, s"]) + 1
    without, beside = rows["page-viewers"]
    assert float(without["pictures a second to each"]) == 0 < float(beside["pictures a second to each"])
    assert float(beside["states a second to each"]) > 0
