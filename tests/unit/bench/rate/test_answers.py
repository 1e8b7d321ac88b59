"""`bench rate --source`: any network and task, on a clip or a folder of pictures."""

from __future__ import annotations

import csv
import math
import os
import subprocess
import sys
from pathlib import Path

import cv2
import numpy as np
import pytest
from kits.bundles import MIDDLE, tiny
from kits.engines import engine_of

from bench.harness.network import Network
from bench.harness.system import Setup
from bench.rate.answer_tables import findings
from bench.rate.answers import LEAST, PLAIN, Pictures, Study, Way
from bench.rate.plan import CALIBRATED, Setting
from bench.report.report import write
from edge.calibration.fit import Preset
from edge.calibration.point import Point
from shared.network.partition import INPUT, SplitPoint
from shared.tasks.raw import Raw

ROOT = Path(__file__).resolve().parents[4]


def drawn(folder: Path, count: int) -> Path:
    rng = np.random.default_rng(0)
    for number in range(count):
        coarse = rng.integers(0, 256, (4, 4, 3), dtype=np.uint8)
        cv2.imwrite(
            str(folder / f"{number:03d}.png"), cv2.resize(coarse, (32, 32), interpolation=cv2.INTER_CUBIC)
        )
    return folder


def test_the_first_half_calibrates_and_the_second_is_measured(tmp_path):
    recipe = tiny().model.recipe
    pictures = Pictures.of(str(drawn(tmp_path, 2 * LEAST + 6)), recipe, LEAST + 1)
    assert (len(pictures.calibrating), len(pictures.measured)) == (LEAST + 1, LEAST + 1)
    every = [*pictures.calibrating, *pictures.measured]
    assert len({picture.tobytes() for picture in every}) == len(every), "no picture is in both"
    (tmp_path / "few").mkdir()
    with pytest.raises(ValueError, match="24 are needed"):
        Pictures.of(str(drawn(tmp_path / "few", 5)), recipe, LEAST)


def test_every_way_is_measured_at_the_split_points_that_were_asked_for():
    rng = np.random.default_rng(1)
    side = tiny().model.recipe.picture_shape
    halves = [[rng.integers(0, 256, side).astype(np.uint8) for _ in range(14)] for _ in range(2)]
    network = Network(tiny(), Setup(None, "drawn"))
    study = Study(network, engine_of("float32"), Pictures("drawn", *halves), quick=True)
    told: list[str] = []
    partition = network.partition
    ways = [way for name in (INPUT, MIDDLE) for way in study.at(partition.point(name), told.append)]
    families = {(way.point.name, way.setting.family) for way in ways}
    assert {(INPUT, "webp"), (INPUT, "png"), (MIDDLE, PLAIN), (MIDDLE, CALIBRATED)} <= families
    for way in ways:
        assert way.found.frames == 14
        if way.setting.family in ("png", "raw"):
            assert way.found.agreement == 1.0
    fine, coarse = (way for way in ways if way.setting.family == CALIBRATED)
    assert fine.found.frame_bytes > coarse.found.frame_bytes
    assert fine.name.startswith("step=")
    assert any(text.startswith("fitting") for text in told)


NECK = SplitPoint("neck", ((8, 4, 4), (4, 2, 2)), 70, 30)
WHOLE = SplitPoint(INPUT, ((3, 8, 8),), 0, 100)


def way(point, family, size, share, kept=None, expected=math.inf):
    presets = (Preset(step=0.5), Preset(step=1.25)) if family == CALIBRATED else ()
    setting = Setting(point.name, family, spec=None if presets else f"{family}:quality=50", preset=presets[0] if presets else None)  # fmt: skip
    return Way(
        setting,
        point,
        Point(presets, size, share, share - 0.05, min(1.0, share + 0.05), 0.25, 40, kept, expected),
    )


def boxes():
    return [
        way(WHOLE, "webp", 4000, 0.97, 0.96, 200),
        way(WHOLE, "webp", 1000, 0.7, 0.6, 200),
        way(WHOLE, "png", 90_000, 1.0, 1.0, 200),
        way(NECK, CALIBRATED, 2000, 0.96, 0.94, 200),
        way(NECK, CALIBRATED, 500, 0.85, 0.8, 200),
    ]


def test_tables_of_a_detector_show_what_was_kept_and_of_how_many(tmp_path):
    found = findings("an engine", "tiny", boxes(), Raw(["out"]))
    rate, equal = found.tables
    row = rate.rows[3]
    assert (row["crossing"], row["to the cloud %"], row["setting"]) == (
        "8x4x4 + 4x2x2",
        30.0,
        "step=0.5/1.25",
    )
    assert (row["bytes/frame"], row["kept %"], row["rel. error"]) == (2000, 94.0, 0.25)
    assert row["agreement %"].median == pytest.approx(96)
    assert "200 of them" in rate.note
    at = {line["at"]: line for line in equal.rows}
    assert float(at["95 % agreement"][CALIBRATED]) < 2000
    assert at["95 % kept"][CALIBRATED] == "not reached"
    assert float(at["90 % kept"]["webp"]) < 4000
    assert "png" not in at["90 % kept"], "what loses nothing is no candidate"
    written = write(tmp_path, "rate-tiny", found, "a test")
    assert {path.name for path in written} == {
        "rate-tiny.md",
        "rate-tiny.csv",
        "rate-tiny-equal.csv",
        "rate-tiny.png",
    }
    lines = [line for line in (tmp_path / "rate-tiny.csv").read_text().splitlines() if line[0] != "#"]
    assert [line["codec"] for line in csv.DictReader(lines)].count("calibrated") == 2


def test_tables_of_a_classifier_have_nothing_that_was_kept():
    found = findings(
        "an engine",
        "tiny",
        [way(WHOLE, "webp", 100, 0.9), way(NECK, CALIBRATED, 50, 0.9)],
        Raw(["out"]),
    )
    assert "kept %" not in found.tables[0].rows[0]
    assert all("kept" not in str(row["at"]) for row in found.tables[1].rows)


@pytest.mark.slow
def test_the_command_measures_a_folder_of_pictures(tmp_path, home):
    pictures = tmp_path / "pictures"
    pictures.mkdir()
    done = subprocess.run(
        [
            *(sys.executable, "-m", "bench", "rate", "--quick", "--model", "mobilenet_v2", "--weights", "random"),
            *("--source", str(drawn(pictures, 26)), "--split-points", "flatten", "--results", str(tmp_path)),
        ],
        cwd=ROOT,
        env={**os.environ, "HOME": str(home)},
        capture_output=True,
        text=True,
        check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    text = (tmp_path / "rate-mobilenet_v2.md").read_text()
    assert "calibrated on 12 pictures of the first half of" in text
    assert "flatten" in text
    assert "At equal agreement" in done.stdout
