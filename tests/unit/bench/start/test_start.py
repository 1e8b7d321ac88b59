"""The report on starting: which processes it compares, which way its ratios go, and one run of it."""

from __future__ import annotations

import csv
import sys
from pathlib import Path

import pytest
from kits.bundles import tiny

from bench.start.command import main
from bench.start.options import StartOptions
from bench.start.report import comparison
from bench.start.trial import CLOUD_MEMORY, EDGE_MEMORY, EDGE_START, FRAMES

ROOT = Path(__file__).resolve().parents[4]


@pytest.fixture
def other(tmp_path):
    """As much of another checkout as is looked at."""
    (tmp_path / "edge").mkdir()
    (tmp_path / "edge" / "__main__.py").touch()
    return tmp_path


def test_another_checkout_is_the_base_and_takes_model_and_weights_as_flags(other):
    flags = ["--against", str(other), "--weights", "random", "--bundle", str(other), "--model", "resnet18"]
    this, against = StartOptions.read(flags).contenders()
    assert (this.name, this.checkout.folder, this.flags) == ("this", ROOT, (f"--model={other}",))
    assert (against.name, against.checkout.folder) == ("against", other)
    assert against.flags == ("--model=resnet18", "--weights=random")


def test_another_checkout_is_run_by_its_own_interpreter_if_it_has_one(other):
    def python(*flags):
        return StartOptions.read(["--against", str(other), *flags]).contenders()[-1].checkout.python

    assert python() == sys.executable
    own = other / ".venv" / "bin" / "python"
    own.parent.mkdir(parents=True)
    own.touch()
    assert python() == str(own)
    assert python("--against-python", "/opt/python") == "/opt/python"


def test_engines_are_compared_in_this_checkout(tmp_path):
    weights = tmp_path / "mine.pth"
    weights.touch()
    found = StartOptions.read(["--engines", "torch,openvino", "--weights", str(weights)]).contenders()
    assert [each.name for each in found] == ["this, torch", "this, openvino"]
    assert found[0].flags == ("--model=resnet50", f"--weights={weights}", "--engine=torch")


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--against", "/nowhere"], "no checkout of this project"),
        (["--bundle", "/nowhere"], "no such folder"),
        (["--rounds", "0"], "--rounds"),
    ],
)
def test_what_cannot_be_compared_is_refused(flags, said, capsys):
    with pytest.raises(SystemExit) as ended:
        StartOptions.read(flags)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_ratios_are_to_the_base_round_by_round(other):
    options = StartOptions.read(["--against", str(other), "--rounds", "2"])
    runs = {
        "this": [{EDGE_START: 1.0, EDGE_MEMORY: 100.0, FRAMES: 20.0}, {EDGE_START: 3.0, EDGE_MEMORY: 100.0, FRAMES: 10.0}],
        "against": [{EDGE_START: 4.0, EDGE_MEMORY: 250.0, FRAMES: 20.0}, {EDGE_START: 6.0, EDGE_MEMORY: 200.0, FRAMES: 20.0}],
    }  # fmt: skip
    rows = {row[""]: row for row in comparison(options, runs).rows}
    start = rows[EDGE_START]["this / against"]
    assert (start.low, start.high, rows[EDGE_START]["target"]) == (0.25, 0.5, "at most 0.35")
    assert rows[EDGE_MEMORY]["this / against"].median == pytest.approx(0.45)
    assert rows[FRAMES]["this / against"].low == 0.5
    assert rows[FRAMES]["target"] is None


def test_alone_there_are_no_ratios():
    options = StartOptions.read(["--quick"])
    (row,) = comparison(options, {"this": [{EDGE_START: 1.0}]}).rows
    assert row.keys() == {"", "this"}


@pytest.mark.slow
def test_a_run_measures_both_sides(tmp_path, capsys):
    flags = ["--quick", "--bundle", str(tiny().folder), "--split-point", "pool", "--codec", "float32"]
    assert main([*flags, "--results", str(tmp_path)]) == 0, capsys.readouterr().err
    lines = [line for line in (tmp_path / "start.csv").read_text().splitlines() if not line.startswith("#")]
    rows = {row[""]: float(row["this"]) for row in csv.DictReader(lines)}
    assert {EDGE_START, EDGE_MEMORY, CLOUD_MEMORY, FRAMES} <= rows.keys()
    assert all(value > 0 for value in rows.values())
    assert rows["edge: resident, MB"] > rows[EDGE_MEMORY], "libraries are shared with the cloud"
    assert rows["both at once: first answer, s"] <= rows["both at once: first by the cloud, s"]
    assert "this, round 1 of 1" in capsys.readouterr().err
