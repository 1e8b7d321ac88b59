"""Bytes at equal KL: what is interpolated, what is not, and who is marked."""

from dataclasses import replace

import numpy as np
import pytest

from bench.rate.streams.outcome import Base, Outcome
from bench.rate.streams.plan import CAMERA, NETWORK, Setting
from bench.rate.streams.session import Sent
from bench.rate.streams.tables import NOT_REACHED, About, equal, figure, tables, together
from bench.report.report import Findings, write
from shared.network.partition import INPUT

ABOUT = About("clip-none", "2 frames of clip.mp4", "Profiles are fitted to another.", 10.0)


def line(split_point, codec, size, share, *points):
    """(bytes, KL) points."""
    found = []
    for number, (frame_bytes, divergence) in enumerate(points):
        setting = Setting(split_point, codec, f"quality={number}", size)
        outcome = Outcome(setting, Base([0, 1], [True, False]), share, inter=codec == "h264", classes=[0, 0])
        for key in (True, False):
            outcome.sent(Sent(np.zeros(1, np.float32), frame_bytes, key, 1.0, 1.0))
        outcome.divergences = [divergence, divergence]
        found.append(outcome)
    return found


FOUND = [
    *line(INPUT, "h264", CAMERA, 1.0, (8000, 0.01), (2000, 0.03), (500, 0.2)),
    *line(INPUT, "h264", NETWORK, 1.0, (9000, 0.025), (8500, 0.05), (9100, 0.045)),
    *line(INPUT, "jpeg", NETWORK, 1.0, (20000, 0.05)),
    *line("layer3", "calibrated", "", 0.2, (4100, 0.019)),
    *line("avgpool", "calibrated", "", 0.001, (500, 0.001)),
]


def test_bytes_at_equal_divergence():
    rows = {row["line"]: row for row in equal("equal", "clip", FOUND).rows}
    camera = rows["h264, camera's size"]
    assert camera["KL 0.02"] == "4000 *", "halfway between 8000 and 2000, in log bytes"
    assert camera["KL 0.03"] == "2000 *"
    assert float(camera["KL 0.04"].split()[0]) == pytest.approx(2000 * 4 ** (-1 / 17), abs=1)
    network = rows["h264, network's size"]
    assert network["KL 0.02"] == NOT_REACHED
    assert 8500 < float(network["KL 0.03"]) < 9000, "a dearer setting that is worse is nobody's choice"
    assert rows["jpeg, network's size"]["KL 0.04"] == NOT_REACHED
    assert rows["layer3 calibrated"]["KL 0.03"] == "≤ 4100"


def test_whoever_takes_least_is_marked_but_not_what_leaves_the_cloud_nothing():
    rows = equal("equal", "clip", FOUND).rows
    assert [row["line"] for row in rows if "*" in row["KL 0.02"]] == ["h264, camera's size"]
    cheap = [*FOUND, *line("layer3", "calibrated-inter", "", 0.2, (600, 0.011))]
    rows = equal("equal", "clip", cheap).rows
    for column in ("KL 0.02", "KL 0.03", "KL 0.04"):
        assert [row["line"] for row in rows if "*" in row[column]] == ["layer3 calibrated-inter"]
    assert {row["line"]: row["KL 0.04"] for row in rows}["avgpool calibrated"] == "≤ 500"


def test_a_frame_that_follows_another_is_compared_with_itself_alone():
    def step(codec, frame_bytes, inter):
        found = line("layer3", codec, "", 0.2, (frame_bytes, 0.02))[0]
        return replace(found, setting=Setting("layer3", codec, step=1.8), inter=inter)

    first, _ = tables(
        ABOUT,
        [step("calibrated", 10000, inter=False), step("calibrated-inter", 4000, inter=True), *FOUND[:1]],
    )
    assert [row.get("P / intra") for row in first.rows] == [None, 0.4, None, None]


def test_sessions_stand_side_by_side():
    noisy = line(INPUT, "h264", CAMERA, 1.0, (9000, 0.035))
    table = together({"clip, none": equal("a", "a", FOUND), "clip, gaussian": equal("b", "b", noisy)})
    rows = {row["line"]: row for row in table.rows}
    assert rows["h264, camera's size"]["clip, none"].startswith("4000 * / 2000 * / 18")
    assert rows["h264, camera's size"]["clip, gaussian"] == "– / – / ≤ 9000 *"
    assert "clip, gaussian" not in rows["jpeg, network's size"]
    assert table.note.startswith("At a KL of 0.02 / 0.03 / 0.04.")


def test_a_session_has_a_row_for_each_setting_and_the_edge_alone(tmp_path):
    first, second = tables(ABOUT, FOUND)
    assert len(first.rows) == len(FOUND) + 1
    row = first.rows[0]
    assert (row["keyframes"], row["a keyframe"], row["a P frame"], row["p95"]) == (1, 8000, 8000, 8000)
    assert (row["kbit/s"], row["agreement %"], row["sure %"]) == (640, 50, 100)
    assert first.rows[6]["keyframes"] is None
    assert first.rows[-1] | {"bytes/frame": 0, "codec": "edge-only"} == first.rows[-1]
    assert "the 1 of 2 frames" in first.note
    shown = figure(ABOUT, FOUND)
    assert [x for x, _ in shown.panels[0].series["h264, camera's size"]] == [500, 2000, 8000]
    write(tmp_path, "rate-clip", Findings("openvino", [first, second], [shown]), "a machine")
    names = {path.name for path in tmp_path.iterdir()}
    assert names == {"rate-clip.md", "rate-clip-none.csv", "rate-clip-none-equal.csv", "rate-clip-none.png"}
