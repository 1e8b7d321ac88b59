"""`python -m bench autoscale`: its options, what it fits, and its tables."""

from __future__ import annotations

import csv
from dataclasses import replace

import pytest
from kits.bundles import tiny

from bench.load.autoscale.command import main
from bench.load.autoscale.options import AutoscaleOptions
from bench.load.autoscale.pod import Service
from bench.load.autoscale.report import fitted, measured_table, modelled
from bench.load.autoscale.trial import Measured, Start
from bench.load.generator import Load
from bench.load.result import LoadResult

RESULT = LoadResult(
    clients=1, offered_per_s=None, answered=10, throughput_per_s=100.0, p50_ms=1.0, p99_ms=2.0, slowest=1.0, fastest=1.0,
    busy=0, late=0, refused=0, failed=0, unanswered=0, own_cpu=0.1,
)  # fmt: skip
LONE = Measured(
    Load(1, 1.0),
    100.0,
    RESULT,
    0.0,
    size=1.0,
    run_s=0.008,
    busy=0.8,
    cores=1.0,
    elsewhere=0.0,
    proportional=10**8,
)
FULL = replace(
    LONE, load=Load(16, 1.0), size=8.0, run_s=0.050, cores=1.6, result=replace(RESULT, throughput_per_s=160.0)
)


def table(path):
    with path.open(encoding="utf-8") as file:
        return list(csv.DictReader(line for line in file if not line.startswith("#")))


def test_unknown_traces_and_autoscalers_are_refused(capsys):
    for flags in (["--traces", "night"], ["--autoscalers", "vpa"]):
        with pytest.raises(SystemExit):
            AutoscaleOptions.read(flags)
        assert "accepted are" in capsys.readouterr().err
    assert [each.name for each in AutoscaleOptions.read(["--traces", "flash,step"]).chosen_traces] == [
        "step",
        "flash",
    ]
    assert [each.name for each in AutoscaleOptions.read([]).manifests(Service())] == [
        "hpa",
        "keda",
        "queue",
        "cores",
    ]


def test_other_targets_may_be_tried():
    tried = AutoscaleOptions.read(["--queue", "32", "--cores", "1.6"]).manifests(Service())
    assert [(each.queue, each.cores) for each in tried] == [(32, 1.6), (32, 1.6), (32, None), (None, 1.6)]


def test_a_pod_is_fitted_to_the_smallest_and_the_largest_runs():
    service = fitted({"start": Start(1.0, 10**8), "one": LONE, "sixteen": FULL}, 2.0)
    assert service.frame_s == pytest.approx(0.006)
    assert service.run_s == pytest.approx(0.002)
    assert service.frame_cpu_s == pytest.approx((0.08 - 0.01) / 7)
    assert service.run_cpu_s == pytest.approx(0.0)
    steeper = fitted({"one": replace(LONE, run_s=0.001), "sixteen": FULL}, 2.0)
    assert (steeper.run_s, steeper.frame_s) == (0.0, pytest.approx(0.05 / 8)), "no time is below 0"


def test_what_was_measured_stands_beside_what_is_modelled():
    service = fitted({"one": LONE, "sixteen": FULL}, 2.0)
    load = Load(40, 5.0, rate=2.0)
    answered, queue, cores = modelled(service, load)
    assert answered == pytest.approx(80, rel=0.05)
    assert 0 < queue < 3
    assert 0 < cores < 2
    over = modelled(service, replace(load, rate=10.0))
    assert over[0] < 170
    assert over[1] > 40
    results = {"start": Start(1.5, 10**8), "one": LONE, "sixteen": FULL, "half": replace(LONE, load=load)}
    rows = measured_table(results, service, "").rows
    assert [row[""] for row in rows] == list(results)
    assert rows[0]["s"] == 1.5
    assert rows[1]["queue, modelled"] is None, "a closed loop is what it is fitted to"
    assert rows[3]["modelled"] == round(answered, 1)


def test_the_command_writes_its_tables(tmp_path, capsys):
    assert main(["--traces", "flash", "--autoscalers", "hpa", "--results", str(tmp_path)]) == 0
    [row] = table(tmp_path / "autoscale.csv")
    assert row["trace"] == "flash"
    assert int(row["most pods"]) > 6
    changes = table(tmp_path / "autoscale-changes.csv")
    assert int(changes[0]["then pods"]) > int(changes[0]["pods"])
    assert "train" in capsys.readouterr().out


@pytest.mark.slow
def test_a_cloud_is_measured(tmp_path, capsys):
    flags = [
        "--measure",
        "--traces",
        "",
        "--load-s",
        "0.5",
        "--shares",
        "0.5",
        "--threads",
        "1",
        "--model",
        str(tiny().folder),
    ]
    assert main([*flags, "--split-point", "pool", "--results", str(tmp_path)]) == 0
    capsys.readouterr()
    rows = table(tmp_path / "autoscale-pod.csv")
    assert len(rows) == 5
    assert all(float(row["s"]) > 0 for row in rows[:2])
    assert all(float(row["answered"]) > 0 for row in rows[2:])
    assert float(rows[4]["modelled"]) > 0
