"""The report on the planner: what a cell comes to, what is written of it, and that a slowed edge is slowed."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace

import pytest
from kits.tiny import plan_of, tiny_model

from bench.link.cell import Cell, Outcome
from bench.link.flight import slow_plan, slowed
from bench.link.options import LinkOptions
from bench.link.report import findings
from bench.report.report import write
from edge.planning.planner import Option

CLOUD_ONLY = "input png"
OPTIONS = [
    Option("input", "png", 0.001, 0.002, 0.001, 0.04, 90_000, 1.0, 40),
    Option("output", None, 0.042, 0.0, 0.0, 0.0, 0.0, 1.0, 40),
]


def outcome(chosen="layer3 int8", slowdown=1.0, load=0.0, **values):
    given = {"output": [60.0], CLOUD_ONLY: [50.0, 52.0, 54.0], "layer3 int8": [40.0]} | values
    return Outcome(
        Cell(2.0, 20.0, slowdown, load),
        given,
        chosen,
        predicted_ms=44.0,
        measured_ms=40.0,
        cloud_only=CLOUD_ONLY,
    )


def test_a_choice_is_held_against_the_best_and_against_both_ends():
    assert outcome().ratio == 1.0
    assert outcome().gain == pytest.approx(52 / 40)
    assert outcome("output").ratio == 1.5
    assert outcome("output").gain == pytest.approx(52 / 60)
    assert outcome("layer3 int8", **{CLOUD_ONLY: []}).gain == pytest.approx(60 / 40), "it was hopeless"


def test_a_cell_is_a_link_with_its_delay_shared_by_both_directions():
    link = Cell(2.0, 20.0, 1.0, 0.0).link
    assert (link.up_bits_per_s, link.delay_s) == (2e6, 0.01)


def test_tables_and_heat_maps_hold_every_cell(tmp_path):
    options = SimpleNamespace(
        objective="latency", min_agreement=0.95, mbit=(2.0,), round_trips=(20.0,), slowdowns=(1.0, 4.0),
        loads=(0.0, 0.6), cell_s=30.0,
    )  # fmt: skip
    cells = [outcome(slowdown=slow, load=load) for slow in options.slowdowns for load in options.loads]
    cells[-1].chosen = "output"
    found = findings(cells, options, OPTIONS, "torch")
    summary, each, losing, choices = found.tables
    assert summary.rows[0]["cells"] == 4
    assert summary.rows[0]["within 5 % of the best"] == "75 %"
    assert summary.rows[0]["cells with gain of 1.3 or more"] == 3
    assert summary.rows[0]["cells above 1.05 x of that"] == 1
    assert summary.rows[0]["median error of the prediction"] == "10.0 %"
    assert [row["chosen"] for row in each.rows] == ["layer3 int8"] * 3 + ["output"]
    assert [(row["edge slowed"], row["cloud load"]) for row in losing.rows] == [(4.0, 0.6)]
    assert len(choices.rows) == 2
    files = write(tmp_path, "link-latency", found, "here")
    assert {path.suffix for path in files} == {".md", ".csv", ".png"}
    assert all(path.stat().st_size for path in files)


@pytest.mark.parametrize(
    "flags",
    [["--mbit", "0"], ["--slowdowns", "0.5"], ["--loads", "1"], ["--objective", "joy"], ["--mbit", "fast"]],
)
def test_flags_that_make_no_sense_are_refused(flags, capsys):
    with pytest.raises(SystemExit) as ended:
        LinkOptions.read(flags)
    assert ended.value.code == 2
    assert flags[0] in capsys.readouterr().err


def test_quick_is_one_cell_for_each_load():
    options = LinkOptions.read(["--quick", "--results", "somewhere"])
    assert len(options.mbit) == len(options.round_trips) == len(options.slowdowns) == 1
    assert options.results == Path("somewhere")


def test_what_is_slowed_takes_longer_and_gives_the_same(monkeypatch):
    now, slept = 0.0, []

    def work(seconds):
        nonlocal now
        now += seconds
        return seconds

    monkeypatch.setattr("time.perf_counter", lambda: now)
    monkeypatch.setattr("time.sleep", slept.append)
    assert slowed(work, 3)(0.02) == 0.02
    assert slept == [pytest.approx(0.04)]
    assert slowed(abs, 1) is abs


def test_a_slowed_plan_is_known_to_be_slow_and_the_plan_itself_is_left_alone():
    plan = plan_of(tiny_model(), "relu", "float32")
    known = SimpleNamespace(**{name: getattr(plan, name) for name in ("head", "tail", "codec")})
    option = Option("relu", "float32", 0.01, 0.002, 0.001, 0.02, 1000, 1.0, 8)
    slow = slow_plan(type(plan)(plan.split_point, plan.codec, plan.head, plan.tail, "float32", option), 4)
    assert (slow.option.head_s, slow.option.encode_s, slow.option.decode_s) == (0.04, 0.008, 0.001)
    assert slow.codec is not plan.codec
    assert slow.codec.name == plan.codec.name
    assert (plan.head, plan.tail, plan.codec) == (known.head, known.tail, known.codec)
