"""`python -m edge calibrate`: what it writes, and what it says of what cannot be."""

from __future__ import annotations

import io
import logging
from pathlib import Path

import pytest
from kits.bundles import MIDDLE, tiny

from edge.__main__ import main
from shared.codecs.calibrated.codec import Calibrated
from shared.codecs.calibrated.inter.codec import CalibratedInter
from shared.codecs.calibrated.profile import Profile
from shared.observing.progress import Progress
from shared.process.settings import KNOWN_NAMES, PREFIX


@pytest.fixture(autouse=True)
def as_before(monkeypatch):
    """main() settles logs and threads for a whole process; here it is only a part of one."""
    for name in KNOWN_NAMES:
        monkeypatch.delenv(PREFIX + name, raising=False)
    for name in ("OMP_NUM_THREADS", "MKL_NUM_THREADS", "OPENBLAS_NUM_THREADS", "OMP_WAIT_POLICY"):
        monkeypatch.setenv(name, "1" if name.endswith("THREADS") else "passive")
    root = logging.getLogger()
    handlers, level = root.handlers[:], root.level
    yield
    root.handlers[:] = handlers
    root.setLevel(level)


def calibrate(*flags: str) -> int:
    return main(["calibrate", "--model", str(tiny().folder), "--cache-dir", "", *flags])


def test_the_command_writes_a_profile_that_can_be_used(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("edge.calibration.pictures.ENOUGH", 24)
    monkeypatch.setattr("edge.calibration.fit.STEPS", (0.5, 2.0))
    path = tmp_path / "mine.safetensors"
    status = calibrate(
        "--split-point", MIDDLE, "--source", "synthetic:fps=0,frames=40", "--frames", "24",
        "--target-agreement", "0.5", "--profile", str(path),
    )  # fmt: skip
    out = capsys.readouterr().out
    assert status == 0
    assert "bytes/frame" in out
    assert "<- recommended" in out
    assert f"--codec calibrated --profile {path}" in out
    profile = Profile.from_bytes(path.read_bytes())
    Calibrated(profile)
    assert profile.split_point == MIDDLE
    assert float(profile.about["frame_bytes"]) > 0
    assert profile.about["importance"] == "noise"
    assert [entry.name for entry in tmp_path.iterdir()] == ["mine.safetensors"]


def test_runs_of_frames_make_a_profile_for_streams(tmp_path, capsys, monkeypatch):
    monkeypatch.setattr("edge.calibration.pictures.ENOUGH", 24)
    monkeypatch.setattr("edge.calibration.fit.STEPS", (0.5, 2.0))
    path = tmp_path / "mine.safetensors"
    status = calibrate(
        "--split-point", MIDDLE, "--source", "synthetic:fps=0,frames=240", "--frames", "24", "--inter",
        "--target-agreement", "0.5", "--profile", str(path),
    )  # fmt: skip
    out = capsys.readouterr().out
    assert status == 0
    assert "calibrated-inter, 50 frames that follow each other" in out
    assert f"--codec calibrated-inter --profile {path}" in out
    table = out.split("sticky")[1].splitlines()[1:4]
    assert [line.split()[0] for line in table] == ["0", "25", "50"]
    profile = Profile.from_bytes(path.read_bytes())
    assert profile.about["format"] == "splitdnn-profile-4"
    assert profile.about["inter_frames"] == "150"
    CalibratedInter(profile)
    Calibrated(profile)


@pytest.mark.parametrize(
    ("flags", "words"),
    [
        (["--split-point", "input"], "between the two ends"),
        (["--split-point", "output"], "between the two ends"),
        (["--source", "synthetic:fps=0,frames=3"], "at least 24"),
        (["--source", "/nowhere/clip.mp4"], "/nowhere/clip.mp4"),
        (["--profile", "/nowhere/at/all.safetensors"], "does not exist"),
        (["--target-agreement", "1.5"], "target-agreement"),
        (["--frames", "3"], "frames"),
        (["--source", "synthetic:fps=0,frames=199", "--inter"], "199 frames are too few for --inter"),
        (["--tagret-agreement", "0.5"], "--target-agreement"),
    ],
)
def test_what_cannot_be_is_said_in_a_line(flags, words, capsys, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    assert calibrate(*flags) == 2
    error = capsys.readouterr().err
    assert words in error
    assert "Traceback" not in error
    assert list(Path().iterdir()) == []


class Terminal(io.StringIO):
    def isatty(self):
        return True


@pytest.mark.parametrize(
    ("out", "written"),
    [
        (io.StringIO(), "reading frames …\nfitting …\n"),
        (
            Terminal(),
            "\r\x1b[Kreading frames …\r\x1b[Kreading frames 7\r\x1b[Kfitting [##########....................] 1/3\r\x1b[K",
        ),
    ],
)
def test_progress_is_a_line_for_each_step_or_one_that_is_rewritten(out, written):
    progress = Progress(out)
    progress.show("reading frames")
    progress.show("reading frames", 7)
    progress.show("fitting", 1, 3)
    progress.close()
    assert out.getvalue() == written
