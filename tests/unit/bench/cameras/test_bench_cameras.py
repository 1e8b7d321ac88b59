"""The report on many cameras: which way its ratios go, and one run of it."""

from __future__ import annotations

import csv

import pytest
from kits.bundles import tiny

from bench.cameras.command import comparison, main
from bench.cameras.options import CamerasOptions
from bench.cameras.trial import Measured


def test_several_cameras_are_compared_with_one():
    options = CamerasOptions.read(["--cameras", "4", "--rounds", "2"])
    one = [Measured(100, 10.0, 1.0, 20.0), Measured(200, 20.0, 1.0, 20.0)]
    many = [Measured(150, 9.0, 0.95, 22.0), Measured(260, 19.0, 1.0, 20.0)]
    rows = comparison(options, {1: one, 4: many}).rows
    ratios = {row[""]: row["ratio"].median for row in rows}
    assert ratios["proportional set size, MB"] == pytest.approx((1.5 + 1.3) / 2)
    assert ratios["frames/s"] == pytest.approx((0.9 + 0.95) / 2)
    assert {row["target"] for row in rows} == {"at most 1.5", "at least 0.95", "at least 0.9", None}


@pytest.mark.parametrize("count", ["1", "65"])
def test_numbers_of_cameras_that_say_nothing_are_refused(count, capsys):
    with pytest.raises(SystemExit):
        CamerasOptions.read(["--cameras", count])
    assert f"--cameras {count}: accepted are 2 to 64" in capsys.readouterr().err


@pytest.mark.slow
def test_a_run_of_it(tmp_path):
    flags = ["--model", str(tiny().folder), "--source", "synthetic:fps=0,frames=400,width=64,height=48"]
    small = ["--cameras", "3", "--rounds", "1", "--frames", "20", "--warm-frames", "5", "--output-only"]
    assert main([*flags, *small, "--results", str(tmp_path)]) == 0
    with (tmp_path / "cameras.csv").open() as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    assert [row[""] for row in rows][:3] == ["proportional set size, MB", "frames/s", "fairness"]
