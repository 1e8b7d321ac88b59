"""The tables' arithmetic, and one whole run of ours beside the bare tail."""

import csv
from pathlib import Path

import pytest
from kits.bundles import tiny

from bench.load.peers.command import main
from bench.load.peers.known import BARE, OURS
from bench.load.peers.material import Material
from bench.load.peers.options import PeersOptions
from bench.load.peers.report import cost, figures, title_of, trouble

OPTIONS = PeersOptions.read(["--rounds", "2"])
MATERIAL = Material(Path("/nowhere"), "int8+zstd", "raw float32", gridded=False, int8=False, body_bytes={})


def measured(rate, cpu_s):
    """One measurement by clients: 100 requests."""
    return {
        "throughput_per_s": rate, "p50_ms": 5.0, "p99_ms": 9.0, "server_cpu_s": cpu_s, "client_cpu_s": 0.05, "busy_s": cpu_s + 1.05, "window_s": 4.0, "done": 100,
        "bytes": 1000.0, "fates": {"answered": 100},
    }  # fmt: skip


def lived(name, rate=50.0, cpu_s=2.0, **terminated):
    return {
        "name": name, "start_s": 1.5, "clients 1": measured(rate, cpu_s), "clients 16": measured(2 * rate, cpu_s),
        "processes": 3, "pss": 200_000_000, "left": 1,
        "poison": {
            "good": {"answered": 90, "refused": 6, "lost": 3, "unreachable": 1, "wrong": 2},
            "poisoned": {"answered": 4, "refused": 30, "lost": 2, "open": 1},
        },
        "terminate": {
            "under_way": {"answered": 10, "lost": 2, "open": 3, "refused": 1}, "after": {"lost": 5, "unreachable": 9}, "status": 0, "ended_s": 2.0,
            **terminated,
        },
    }  # fmt: skip


def test_cpu_is_per_answered_request_and_rates_are_medians():
    row = cost({"ray": [lived("ray", 50.0, 2.0), lived("ray", 70.0, 4.0)]}, OPTIONS, MATERIAL).rows[0]
    assert (row["requests/s, 1"].median, row["requests/s, 1"].low, row["requests/s, 16"].high) == (
        60,
        50,
        140,
    )
    assert row["server CPU ms, 16"].median == pytest.approx(30)
    assert row["client CPU ms, 1"].median == pytest.approx(0.5)
    assert (row["PSS MB"].median, row["processes"], row["start s"].median) == (200, 3, 1.5)
    assert row["bytes a request"].median == 1000
    assert row["cores of others"].median == pytest.approx(0.25)


def test_the_bare_tail_counts_what_is_in_its_batches():
    found = figures({"times_ms": [10.0, 20.0, 30.0], "done": 24, "window_s": 2.0, "server_cpu_s": 0.48})
    assert found == pytest.approx({"requests/s": 12, "p50 ms": 20, "p99 ms": 29.8, "server CPU ms": 20})


def test_a_measurement_without_an_answer_divides_by_nothing():
    assert figures({**measured(0, 1.0), "done": 0})["server CPU ms"] == 1000


def test_our_version_is_that_of_the_code_which_runs(monkeypatch):
    monkeypatch.setattr("bench.load.peers.report.__version__", "7.8.9")
    assert title_of("splitdnn") == "SplitDNN 7.8.9"


def test_fates_are_sums_over_the_rounds():
    (row,) = trouble({BARE: [{}], "ray": [lived("ray"), lived("ray", status=-15, ended_s=4.0)]}, OPTIONS).rows
    assert row[""] == title_of("ray")
    assert (row["good"], row["good, refused"], row["good, wrong"]) == (204, 20, 4)
    assert (row["poisoned"], row["poisoned, answered"], row["poisoned, without any answer"]) == (74, 8, 6)
    assert (row["under way at SIGTERM"], row["of these lost"], row["of these refused"]) == (32, 10, 2)
    assert (row["sent after it, lost"], row["exit status"], row["processes left"]) == (10, "-15, 0", 2)
    assert row["ended after s"].median == 3
    assert row["load: refused, lost or wrong"] == 0


def test_a_server_that_did_not_end_is_said_to_be_so():
    (row,) = trouble({"ray": [lived("ray", status=None, ended_s=None)]}, OPTIONS).rows
    assert (row["ended after s"], row["exit status"]) == ("-", "did not end")


def test_the_note_says_what_travels_and_how_often_it_was_measured():
    note = cost({OURS: [lived(OURS), lived(OURS)], "ray": [lived("ray")]}, OPTIONS, MATERIAL).note
    for text in ("int8+zstd", "raw float32", "1 round ", "float32;"):
        assert text in note


@pytest.mark.slow
def test_ours_and_the_bare_tail_are_measured(tmp_path, capsys):
    flags = ["--quick", "--only", "bare,splitdnn", "--model", str(tiny().folder), "--split-point", "pool"]
    source = ["--source", "synthetic:fps=0,frames=8", "--folder", str(tmp_path / "none"), "--threads", "1"]
    results = tmp_path / "results"
    assert main([*flags, *source, "--results", str(results)]) == 0, capsys.readouterr().err

    def rows(name):
        lines = (results / name).read_text().splitlines()
        return list(csv.DictReader(line for line in lines if not line.startswith("#")))

    bare, ours = rows("peers.csv")
    assert (bare[""], ours[""].split()[0]) == ("bare tail, in process", "SplitDNN")
    for row in (bare, ours):
        for column in ("requests/s, 1", "requests/s, 16", "server CPU ms, 16", "PSS MB", "start s"):
            assert float(row[column]) > 0, (row[""], column)
    assert float(ours["bytes a request"]) > 100
    (row,) = rows("trouble.csv")
    assert int(row["good"]) > 0
    assert (row["good, refused"], row["good, wrong"], row["poisoned, answered"]) == ("0", "0", "0")
    assert (row["load: refused, lost or wrong"], row["of these lost"], row["processes left"]) == (
        "0",
        "0",
        "0",
    )
    assert not (tmp_path / "none").exists(), "nothing was installed"
