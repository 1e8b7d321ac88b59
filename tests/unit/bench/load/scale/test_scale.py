"""`python -m bench scale`: what it measures, within its time, and what its tables say."""

from __future__ import annotations

import csv
import os
from dataclasses import replace

import pytest
from kits.bundles import tiny

from bench.load.result import LoadResult
from bench.load.scale.command import main
from bench.load.scale.model import One
from bench.load.scale.options import ScaleOptions, Shape
from bench.load.scale.report import ERROR, PREDICTED, RATE, tables
from bench.load.scale.trial import Measured

RESULT = LoadResult(
    clients=1, offered_per_s=None, answered=10, throughput_per_s=10.0, p50_ms=1.0, p99_ms=2.0, slowest=1.0, fastest=1.0,
    busy=0, late=0, refused=0, failed=0, unanswered=0, own_cpu=0.1,
)  # fmt: skip


@pytest.fixture(autouse=True)
def _two_cores(monkeypatch):
    monkeypatch.setattr("bench.load.scale.options.available_cores", lambda: 2)


def test_every_batch_has_one_thread_two_threads_and_two_workers():
    shapes = ScaleOptions.read([]).shapes
    assert shapes == [
        Shape(1, 1, 1), Shape(1, 1, 8), Shape(1, 2, 1), Shape(1, 2, 8), Shape(2, 2, 1), Shape(2, 2, 8),
    ]  # fmt: skip
    assert ScaleOptions.read(["--threads", "1", "--workers", "1", "--batches", "4"]).shapes == [
        Shape(1, 1, 4)
    ]


def test_no_limit_of_the_cloud_is_what_is_measured():
    flags = dict(flag.removeprefix("--").split("=") for flag in Shape(2, 2, 8).flags(128))
    for name in ("queue-capacity", "client-frames", "client-connections", "max-connections"):
        assert int(flags[name]) // 2 >= 128, f"{name}: all clients may come to one worker"


def test_the_time_is_divided_among_the_loads():
    options = ScaleOptions.read([])
    assert options.cells == 48
    assert options.cell_s(270.0, 48) == pytest.approx(270 / 48 - 2)
    assert options.cell_s(-5.0, 3) == 0.25, "the clouds took longer to start"
    assert options.cell_s(1e6, 3) == 10.0


@pytest.mark.parametrize(
    ("flags", "said"),
    [
        (["--threads", "2"], "must have 1 among them"),
        (["--workers", "2"], "must have 1 among them"),
        (["--threads", "1,4"], "4 threads: this machine gives 2 cores"),
        (["--clients", "0"], "accepted are 1 to 4096"),
        (["--seconds", "60"], "6 clouds and 8 numbers of clients need 143 or more"),
    ],
)
def test_what_cannot_be_measured_is_refused(flags, said, capsys):
    with pytest.raises(SystemExit) as ended:
        ScaleOptions.read(flags)
    assert ended.value.code == 2
    assert said in capsys.readouterr().err


def test_predictions_stand_beside_what_was_measured():
    def measured(rate, elsewhere=0.1):
        one = One(rate, 0.06, 0.001, 0.0)
        return Measured(replace(RESULT, throughput_per_s=rate), 1.0, one, elsewhere)

    results = {
        (Shape(1, 1, 8), 1): measured(10.0),
        (Shape(1, 2, 8), 1): measured(16.0),
        (Shape(2, 2, 8), 1): measured(8.0),
    }
    loads, errors = tables(results, cores=2)
    base, threads, workers = loads.rows
    assert (base[RATE], base[PREDICTED], base[ERROR]) == (10.0, None, None)
    assert (threads[PREDICTED], threads[ERROR]) == (14.3, -10.7)  # 1 / 0.07
    assert (workers[PREDICTED], workers[ERROR]) == (10.0, 25.0)
    assert [row["worst, %"] for row in errors.rows] == [-10.7, 25.0]
    assert "Amdahl" in loads.markdown()
    # Where others kept the processors busy, nothing is said of the prediction.
    base, threads, workers = results
    for busy, judged in ((base, [0, 0]), (threads, [0, 1]), (workers, [1, 0])):
        disturbed = results | {busy: measured(10.0, elsewhere=0.11)}
        assert [row["loads"] for row in tables(disturbed, cores=2)[1].rows] == judged, busy


@pytest.mark.slow
def test_a_short_run_measures_and_predicts(tmp_path, capsys):
    flags = [
        "--quick", "--model", str(tiny().folder), "--split-point", "pool", "--clients", "2", "--seconds", "29",
        "--source", "synthetic:fps=0,frames=20,width=64,height=48", "--results", str(tmp_path),
    ]  # fmt: skip
    assert main(flags) == 0, capsys.readouterr().err
    lines = [line for line in (tmp_path / "scale.csv").read_text().splitlines() if not line.startswith("#")]
    rows = list(csv.DictReader(lines))
    assert [(row["workers"], row["threads"]) for row in rows] == [("1", "1"), ("1", "2"), ("2", "2")]
    for row in rows:
        assert float(row[RATE]) > 0
        assert float(row["CPU ms a frame"]) > 0
        assert row["not answered"] == "0"
        assert 0 <= int(row["others, % of a core"]) < 100 * (os.cpu_count() or 1)
        assert bool(row[PREDICTED]) == (row["threads"] != "1")
    said = (tmp_path / "scale.md").read_text()
    assert "cores, " in said, "the processor has a name"
    assert "How wrong the predictions are" in said
