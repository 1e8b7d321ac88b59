"""The report on what an edge's page costs: what it subtracts, and one run of it."""

from __future__ import annotations

import csv

import pytest
from kits.bundles import tiny

from bench.cameras.page.command import comparison, main
from bench.cameras.page.options import PageOptions
from bench.cameras.page.trial import Measured


def test_what_viewers_cost_is_a_difference_within_a_round():
    options = PageOptions.read(["--viewers", "4", "--rounds", "2"])
    none = [Measured(0.10, 20.0, 30.0, 0, 0, 0), Measured(0.20, 22.0, 30.0, 1, 0, 0)]
    some = [Measured(0.13, 21.0, 33.0, 0, 80, 1), Measured(0.22, 22.0, 31.0, 1, 90, 0)]
    rows = comparison(options, {0: none, 4: some}).rows
    more = {row[""]: row["more"].median for row in rows}
    assert more["share of a core, %"] == pytest.approx(2.5)
    assert more["latency p50, ms"] == pytest.approx(0.5)
    assert more["frames dropped"] == 0
    assert more["pictures"] == 85


@pytest.mark.parametrize("wrong", [["--size", "large"], ["--viewers", "33"]])
def test_what_says_nothing_is_refused(wrong, capsys):
    with pytest.raises(SystemExit):
        PageOptions.read(wrong)
    assert " ".join(wrong) in capsys.readouterr().err


@pytest.mark.slow
def test_a_run_of_it(tmp_path):
    flags = ["--model", str(tiny().folder), "--size", "64x48", "--fps", "20", "--viewers", "2"]
    small = ["--rounds", "1", "--frames", "40", "--warm-frames", "5", "--output-only"]
    assert main([*flags, *small, "--results", str(tmp_path)]) == 0
    with (tmp_path / "page.csv").open() as file:
        rows = {row[""]: row for row in csv.DictReader(line for line in file if not line.startswith("#"))}
    assert float(rows["pictures"]["2 viewers"].split()[0]) > 0
    assert float(rows["pictures"]["nobody looks"].split()[0]) == 0
