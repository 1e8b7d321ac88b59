"""Tables and plots as files: there, readable by others, and never without what they were measured on."""

import csv
import struct

import pytest

from bench.report.plots import Bars, Figure, Lines, Stacks
from bench.report.report import Findings, Table, about, write
from bench.report.spread import Spread

SPREAD = Spread(2.0, 1.5, 2.5, 3)
TABLE = Table(
    "rates",
    "How fast",
    "Medians (min–max over 3 rounds).",
    [
        {"split point": "layer1", "frames/s": SPREAD, "bytes": 512},
        {"split point": "a|b", "frames/s": None, "CPU ms": 1.23456},
    ],
)
FIGURE = Figure(
    "plot",
    "All three kinds",
    [
        Bars("frames/s", ["a", "b"], {"ours": [SPREAD, None], "theirs": [SPREAD, SPREAD]}),
        Stacks("ms", ["wall", "CPU"], {"head": [1.0, 2.0], "tail": [3.0, 0.0]}),
        Lines("clients", "p99", {"closed": [(1.0, SPREAD), (16.0, SPREAD)]}, "xy"),
    ],
)


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("bench") / "results"
    files = write(
        folder, "split", Findings("torch float32, 2 threads", [TABLE], [FIGURE]), "a machine, a date"
    )
    assert {path.name for path in files} == {"split.md", "rates.csv", "plot.png"}
    assert {path.name for path in folder.iterdir()} == {"split.md", "rates.csv", "plot.png"}
    return folder


def test_the_markdown_holds_the_table_and_what_it_was_measured_on(written):
    lines = (written / "split.md").read_text().splitlines()
    assert "a machine, a date; engine torch float32, 2 threads" in lines
    assert "Medians (min–max over 3 rounds)." in lines
    assert "| split point | frames/s | bytes | CPU ms |" in lines
    assert "| layer1 | 2.00 (1.50–2.50) | 512 |  |" in lines
    assert "| a\\|b |  |  | 1.23 |" in lines
    assert "![All three kinds](plot.png)" in lines


def test_the_csv_has_median_and_bounds_as_columns(written):
    lines = (written / "rates.csv").read_text().splitlines()
    comments = [line for line in lines if line.startswith("#")]
    assert "# a machine, a date; engine torch float32, 2 threads" in comments
    rows = list(csv.DictReader(line for line in lines if not line.startswith("#")))
    assert rows[0] == {
        "split point": "layer1",
        "frames/s": "2.0",
        "frames/s low": "1.5",
        "frames/s high": "2.5",
        "bytes": "512",
        "CPU ms": "",
    }
    assert (rows[1]["frames/s"], rows[1]["CPU ms"]) == ("", "1.23456")


def test_the_plot_is_a_picture_that_says_what_it_was_measured_on(written):
    data = (written / "plot.png").read_bytes()
    assert data[:8] == b"\x89PNG\r\n\x1a\n"
    width, height = struct.unpack(">II", data[16:24])
    assert width > 600
    assert height > 300
    assert b"a machine, a date; engine torch float32, 2 threads" in data


def test_what_figures_were_measured_on(tmp_path):
    weights = tmp_path / "weights.pth"
    weights.write_bytes(b"abc")
    text = about(str(weights), "synthetic")
    assert "weights weights.pth (sha256 ba7816bf)" in text
    assert "source synthetic" in text
    for word in ("UTC", "cores", "Python", "torch", "openvino", "numpy"):
        assert word in text
