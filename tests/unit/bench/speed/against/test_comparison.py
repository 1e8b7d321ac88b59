"""Two checkouts side by side: which way each ratio goes, what runs what, and what is refused."""

import json

import pytest

from bench.harness.process import HERE
from bench.harness.scrape import parse
from bench.speed.against import section
from bench.speed.against.tables import rows, step_rows
from bench.speed.options import SpeedOptions
from bench.speed.steps import Costs, Sample
from bench.speed.window import Window


def window(seconds, edge_s, cloud_s, **steps_s):
    """Ten frames."""

    def sample(edge, cloud, share):
        metrics = {}
        for side in ("edge", "cloud"):
            lines = [
                f'splitdnn_{side}_stage_cpu_seconds_total{{stage="{name.partition("_")[2]}"}} {share * each}'
                for name, each in steps_s.items()
                if name.startswith(side)
            ]
            kind = f"# TYPE splitdnn_{side}_stage_cpu_seconds counter"
            metrics[side] = parse("\n".join([kind, *lines, ""]))
        return Sample({"edge": edge, "cloud": cloud}, metrics)

    record = {"payload_bytes": 500, "stages_ms": {"send": 1.0}}
    return Window([record] * 10, seconds, sample(5.0, 7.0, 1), sample(5.0 + edge_s, 7.0 + cloud_s, 2))


def test_faster_is_above_one_and_each_ratio_is_within_a_round():
    runs = {
        ("layer3", "this"): [window(0.1, 0.1, 0.05), window(0.2, 0.2, 0.1)],
        ("layer3", "against"): [window(0.4, 0.3, 0.3), window(0.8, 0.6, 0.6)],
    }
    alone, row = rows(runs, [(125.0, 16.0), (62.5, 16.0)])
    assert (alone["split point"], alone["frames/s"].median) == ("engine alone", 93.75)
    assert (row["frames/s"].low, row["against"].high) == (pytest.approx(50), pytest.approx(25))
    assert row["times faster"].low == row["times faster"].high == pytest.approx(4)
    assert row["of the engine alone"].median == pytest.approx(0.8)
    assert row["CPU ms/frame"].low == pytest.approx(15)
    assert row["CPU ratio"].median == pytest.approx(0.25)
    assert row["bytes/frame"] == 500


def test_every_step_stands_beside_that_of_the_other_checkout():
    this, base = Costs(), Costs()
    this.add(window(1, 0.10, 0.06, edge_head=0.05, cloud_tail=0.03))
    base.add(window(1, 0.40, 0.20, edge_head=0.30, cloud_tail=0.10, cloud_decode=0.02))
    found = {(row["side"], row["step"]): row for row in step_rows(this, base)}
    assert found["edge", "head"]["ratio"].median == pytest.approx(1 / 6)
    assert found["cloud", "decode"]["CPU ms/frame"] is None
    assert found["cloud", "decode"]["against"].median == pytest.approx(2)
    overhead = found["both", "overhead: all but head and tail"]
    assert overhead["CPU ms/frame"].median == pytest.approx(16 - 8)
    assert overhead["against"].median == pytest.approx(60 - 40)


def checkout(folder):
    (folder / "edge").mkdir(parents=True)
    (folder / "edge" / "__main__.py").touch()
    return folder


def test_the_other_checkout_runs_its_own_network_in_its_own_folder(tmp_path):
    other = checkout(tmp_path / "other")
    given = ["--model", "net", "--against", str(other), "--against-python", "/python"]
    options = SpeedOptions.read([*given, "--against-model", "net2"])
    this, base = options.contenders
    assert (this.checkout, this.flags) == (HERE, ("--weights=random", "--precision=float32", "--model=net"))
    assert (base.checkout.folder, base.checkout.python) == (other.resolve(), "/python")
    assert base.flags[:2] == ("--model=net2", "--precision=float32")
    assert options.only == ("split", "stages", "against")
    assert "against" in SpeedOptions.read(["--against", str(other)]).only
    assert "against" not in SpeedOptions.read([]).only


def test_a_folder_without_a_checkout_and_a_comparison_with_nothing_are_refused(tmp_path, capsys):
    cases = [
        (["--against", str(tmp_path)], "no checkout of this project"),
        (["--only", "against"], "name the other checkout by --against"),
    ]
    for arguments, said in cases:
        with pytest.raises(SystemExit):
            SpeedOptions.read(arguments)
        assert said in capsys.readouterr().err, arguments


def test_an_int8_bundle_keeps_its_precision_and_sends_its_symbols(monkeypatch, tmp_path):
    class Manifest:
        precision = "int8"

    monkeypatch.setattr("bench.speed.options.read_manifest", lambda _path: Manifest)
    options = SpeedOptions.read(["--model", str(tmp_path)])
    assert (options.precision, options.codec) == (None, "uint8+zstd")
    assert options.setup.flags() == ["--weights=auto", f"--model={tmp_path}"]
    assert SpeedOptions.read(["--model", str(tmp_path), "--codec", "int8"]).codec == "int8"
    monkeypatch.undo()
    (tmp_path / "bundle.json").write_text(json.dumps({"schema": 0}))
    assert SpeedOptions.read(["--model", str(tmp_path)]).codec == "int8+zstd"


def test_halves_that_run_at_once_are_this_ones_and_only_where_it_chooses_its_threads(monkeypatch, tmp_path):
    started = {}

    class Process:
        pid, url = 1, "http://127.0.0.1:1"

        def __init__(self, flags, *, checkout):
            started[checkout] = [flag for flag in flags if "-workers" in flag or "threads" in flag]

        def __enter__(self):
            return self

        def __exit__(self, *_):
            pass

        def wait_until_ready(self):
            pass

    monkeypatch.setattr(section, "Cloud", Process)
    other = checkout(tmp_path / "other")
    options = SpeedOptions.read(["--model", "net", "--against", str(other), "--at-once", "2"])
    this, base = options.contenders

    def flags_of(options, **more):
        with section._clouds(options, [this, base], **more):
            return started[this.checkout], started[base.checkout]

    assert flags_of(options) == (["--tail-workers=2"], [])
    assert flags_of(options, threads=1) == (["--threads=1"], ["--threads=1"])
    alone = SpeedOptions.read(["--model", "net", "--against", str(other)])
    assert flags_of(alone) == ([], [])
