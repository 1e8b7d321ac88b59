"""From outcomes to rows: which way a change goes, what is compared at equal agreement, and what the files hold."""

import csv

import numpy as np
import pytest

from bench.rate.plan import Setting
from bench.rate.tables import equal_agreement, figure, rows_of
from bench.rate.trial import Outcome
from bench.report.report import Findings, Table, write
from edge.calibration.fit import Preset

LABELS = np.array([0, 1, 2, 3])
UNSPLIT = np.array([0, 1, 2, 9])  # the last one wrong
CALIBRATED = Setting("layer3", "calibrated", preset=Preset(step=1.5, levels=3))


def measured(setting, size, classes, labels=LABELS, **fields):
    each = ([size] * 4, [2.0] * 4, [3.0] * 4, list(classes), [0.1] * 4)
    return Outcome(setting, UNSPLIT, labels, *each, **fields)


def test_a_row_says_what_was_lost_and_won():
    [row] = rows_of([measured(CALIBRATED, 100, [0, 1, 5, 3])], "2 photographs")
    assert row["agreement %"].median == 50  # the third was lost and the fourth won
    assert (row["right→wrong"], row["wrong→right"], row["McNemar p"]) == (1, 1, 1.0)
    assert row["top-1 change"].median == 0
    assert (row["codec"], row["setting"]) == ("calibrated", "step=1.5,levels=3")
    assert row["calibrated on"] == "2 photographs"
    assert (row["encode ms"], row["decode ms"], row["KL mean"]) == (2, 3, pytest.approx(0.1))


def test_a_wrong_answer_that_becomes_another_wrong_one_changes_agreement_only():
    [row] = rows_of([measured(CALIBRATED, 100, [0, 1, 2, 7])], "")
    assert (row["agreement %"].median, row["top-1 change"].median) == (75, 0)


def test_bits_are_compared_with_what_was_promised_where_anything_was():
    promised = {"promised_bits": [700.0, 750.0], "coded_bits": [736, 768]}
    plain = Setting("layer3", "int8", spec="int8")
    rows = rows_of([measured(CALIBRATED, 100, UNSPLIT, **promised), measured(plain, 400, UNSPLIT)], "some")
    assert rows[0]["bits / promised"] == pytest.approx(1504 / 1450)
    assert rows[1]["bits / promised"] is None
    assert rows[1]["calibrated on"] == ""


def line(split_point, family, *points, preset=None):
    found = []
    for size, hits in points:
        classes = [*UNSPLIT[:hits], *([7] * (4 - hits))]
        setting = Setting(split_point, family, None if preset else family, preset)
        found.append(measured(setting, size, classes))
    return found


def test_at_equal_agreement_the_cheapest_picture_codec_is_the_one_to_beat():
    preset = Preset(step=1.0)
    found = [
        *line("input", "jpeg 4:2:0", (9000, 3), (16000, 4)),
        *line("input", "webp", (8000, 3), (12500, 4)),
        *line("input", "png", (10, 4)),  # lossless: nobody's choice, whatever it costs
        *line("layer3", "int8+zstd", (11, 4)),
        *line("layer3", "calibrated", (4000, 3), (6250, 4), preset=preset),
        *line("layer4", "calibrated", (500, 4), preset=preset),
        *line("layer2", "calibrated", (500, 3), preset=preset),
    ]
    rows = {row["split point"]: row for row in equal_agreement(found).rows}
    assert set(rows) == {"layer2", "layer3", "layer4"}
    assert {row["best picture codec"] for row in rows.values()} == {"webp"}
    assert rows["layer3"]["calibrated / picture"] == "0.500"
    assert rows["layer4"]["calibrated bytes"] == "≤ 500"
    assert rows["layer4"]["calibrated / picture"].startswith("≤ 0.04")
    assert (rows["layer2"]["calibrated bytes"], rows["layer2"]["calibrated / picture"]) == ("not reached", "")


def test_what_is_written(tmp_path):
    found = [
        *line("input", "webp", (8000, 3), (12500, 4)),
        *line("layer3", "int8", (20000, 4)),
        *line("layer3", "calibrated", (6250, 4), (4000, 3), preset=Preset(step=1.0, levels=4)),
    ]
    shown = figure(found, "rate", "Rate")
    assert list(shown.panels[0].series) == ["webp", "int8", "layer3 calibrated"]
    assert [x for x, _ in shown.panels[0].series["layer3 calibrated"]] == [4000, 6250]
    assert shown.panels[0].unjoined == {"int8"}
    tables = [Table("rate", "Rate", "Note.", rows_of(found, "some")), equal_agreement(found)]
    write(tmp_path, "rate", Findings("openvino", tables, [shown]), "a machine")
    assert {path.name for path in tmp_path.iterdir()} == {"rate.md", "rate.csv", "rate_equal.csv", "rate.png"}
    lines = [text for text in (tmp_path / "rate.csv").read_text().splitlines() if text[0] != "#"]
    rows = list(csv.DictReader(lines))
    assert len(rows) == 5
    assert (rows[0]["agreement %"], rows[0]["bytes/frame"]) == ("75.0", "8000")
    assert float(rows[0]["agreement % low"]) < 75 < float(rows[0]["agreement % high"])
    assert "| layer3 | calibrated | step=1,levels=4 | 6250 |" in (tmp_path / "rate.md").read_text()
