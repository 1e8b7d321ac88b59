"""A session of a small clip by every setting, and the whole command."""

from __future__ import annotations

import csv
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
from bench.rate.streams.plan import CAMERA, NETWORK, Setting, settings
from bench.rate.streams.study import BATCH, Study
from shared.network.partition import INPUT, SplitPoint

ROOT = Path(__file__).resolve().parents[5]


def drawn(count, size=(48, 64)):
    """Pictures of a camera that moves."""
    rng = np.random.default_rng(3)
    scene = cv2.resize(rng.integers(0, 256, (9, 30, 3), dtype=np.uint8), (4 * size[1], size[0]))
    return [np.ascontiguousarray(scene[:, at : at + size[1]]) for at in range(count)]


def test_every_setting_gets_every_frame_in_order():
    study = Study(Network(tiny(), Setup(None, "drawn")), engine_of("float32"), (MIDDLE,))
    plan = [
        Setting(INPUT, "png", size=CAMERA),
        Setting(INPUT, "png", size=NETWORK),
        Setting(MIDDLE, "calibrated", step=0.2),
        Setting(MIDDLE, "calibrated", step=0.8),
    ]
    frames, told = drawn(2 * BATCH + 3), []
    profiles = study.profiles(plan, study.prepared(drawn(14)), [study.prepared(drawn(6))], told.append)
    assert set(profiles) == {(MIDDLE, 0.2), (MIDDLE, 0.8)}
    camera, network, fine, coarse = study.run(plan, profiles, iter(frames), told.append)
    assert told[-3:] == ["frames from 0", "frames from 8", "frames from 16"]
    for each in (camera, network, fine, coarse):
        assert len(each.frame_bytes) == len(each.divergences) == len(each.classes) == len(frames)
        assert each.base is camera.base
    for lossless in (camera, network):
        assert lossless.agreement == 100
        assert max(lossless.divergences) < 1e-6
    assert camera.mean_bytes > network.mean_bytes
    assert fine.mean_bytes > coarse.mean_bytes
    assert 0 < fine.divergence < coarse.divergence
    assert (camera.tail_share, fine.tail_share) == (1.0, pytest.approx(642 / 11010))


def test_a_split_point_of_two_tensors_is_refused(monkeypatch):
    network = Network(tiny(), Setup(None, "drawn"))
    two = SplitPoint(MIDDLE, ((1,), (1,)), 1, 1)
    monkeypatch.setattr(type(network.partition), "point", lambda *_: two)
    with pytest.raises(ValueError, match="2 tensors cross"):
        Study(network, engine_of("float32"), (MIDDLE,))


@pytest.fixture(scope="module")
def report(tmp_path_factory, home):
    folder = tmp_path_factory.mktemp("streams")
    clip = folder / "moves.avi"
    writer = cv2.VideoWriter(str(clip), cv2.VideoWriter.fourcc(*"MJPG"), 10, (160, 120))
    for picture in drawn(30, (120, 160)):
        writer.write(picture)
    writer.release()
    command = [
        *(sys.executable, "-m", "bench", "rate", "--quick", "--clip", str(clip), "--clip-frames", "14"),
        *("--model", "mobilenet_v2", "--weights", "random", "--split-points", "features.16"),
        *("--results", str(folder / "results")),
    ]
    done = subprocess.run(
        command, cwd=ROOT, env={**os.environ, "HOME": str(home)}, capture_output=True, text=True, check=False
    )
    assert done.returncode == 0, done.stderr
    return folder / "results", done


def rows(path):
    lines = [line for line in path.read_text().splitlines() if not line.startswith("#")]
    return list(csv.DictReader(lines))


@pytest.mark.slow
def test_the_command_writes_a_table_for_each_noise(report):
    folder, done = report
    plan, _ = settings("mobilenet_v2", ("features.16",), interval=10, quick=True)
    for noise in ("none", "gaussian"):
        found = rows(folder / f"rate-moves-{noise}.csv")
        assert len(found) == len(plan) + 1
        assert {int(row["keyframes"]) for row in found if row["keyframes"]} <= {2}
        assert rows(folder / f"rate-moves-{noise}-equal.csv")
    text = (folder / "rate-moves.md").read_text()
    for words in (
        "frames 16 to 29 of moves.avi",
        "a keyframe every 10 frames",
        "with sensor noise of sigma 4",
    ):
        assert words in text
    assert "left]" in done.stderr


@pytest.mark.slow
def test_noise_costs_bytes(report):
    def jpeg(noise):
        return [
            float(row["bytes/frame"])
            for row in rows(report[0] / f"rate-moves-{noise}.csv")
            if row["codec"] == "jpeg"
        ]

    assert all(noisy > clean for clean, noisy in zip(jpeg("none"), jpeg("gaussian"), strict=True))
