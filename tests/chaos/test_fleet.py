"""The fleet bench itself, in small: a few light edges, a real one, two clouds behind the stand-in, killed and cut for seconds."""

from __future__ import annotations

import csv

import pytest
from kits.bundles import tiny

from bench.soak.fleet.command import main
from bench.soak.ledger import read_rows

pytestmark = pytest.mark.slow


def test_a_small_fleet_keeps_its_promises_and_says_so(tmp_path, capsys):
    bundle = tiny()
    flags = [
        f"--model={bundle.folder}", f"--split-point={bundle.partition.default().name}", "--source=synthetic:fps=0,frames=8,width=64,height=48",
        "--pictures=4", "--edges=6", "--real-edges=1", "--clouds=2", "--seconds=8", "--calm=1", "--capacity=1", "--kill-every=3",
        "--cut-every=0.5", "--cut-share=0.5", "--load=0.01", "--balancer=stand-in", "--busy", f"--folder={tmp_path / 'run'}",
        f"--results={tmp_path / 'results'}",
    ]  # fmt: skip
    status = main(flags)
    said = capsys.readouterr()
    assert status == 0, said.err + said.out
    with (tmp_path / "results" / "fleet.csv").open() as file:
        rows = list(csv.DictReader(line for line in file if not line.startswith("#")))
    found = {row["promise"]: row for row in rows}
    assert found["frames without a record"]["kept"] == "yes"
    assert int(found["clouds killed"]["found"]) >= 1
    assert "stand-in" in said.out
    records = read_rows(tmp_path / "run" / "records.jsonl")
    assert {record["edge"] for record in records} == set(range(6))
    assert all(record["cloud"] for record in records if record["answered_by"] == "cloud")
    assert read_rows(tmp_path / "run" / "edge 1.jsonl")
