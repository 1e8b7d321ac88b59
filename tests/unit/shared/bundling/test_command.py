"""`splitdnn bundle` and `splitdnn back`."""

from __future__ import annotations

import signal
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import pytest
from kits.graphs import model, picture, residual, save

from shared.bundling.command import back, bundle
from shared.network.bundle import read_bundle
from shared.network.manifest import MANIFEST

if TYPE_CHECKING:
    from shared.engines.openvino.runtime import ov


def _graph() -> ov.Model:
    given = picture()
    return model(given, residual(given))


@pytest.mark.slow
def test_bundle_prints_what_it_wrote_and_back_takes_the_old_one(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    source = save(_graph(), tmp_path / "net.xml")
    folder = tmp_path / "bundle"
    assert bundle([str(source), "-o", str(folder), "--check", "all"]) == 0
    said = capsys.readouterr().out
    for expected in (
        "net, weights file:net.xml, fingerprint ",
        "recipe    8x8 RGB, stretched",
        "task      classify; softmax of the output",
        "labels    5: class 0; class 1",
        "parity    not checked",
        "at 3 split points",
        "note      the file says nothing of its recipe",
        "\nadd ",
        f"--model {folder}",
    ):
        assert expected in said, expected
    first = read_bundle(folder).model.fingerprint
    assert bundle([str(source), "-o", str(folder), "--recipe", "mean=0.5"]) == 0
    assert read_bundle(folder).model.fingerprint != first
    assert bundle([str(source), "-o", str(folder), "--recipe", "mean=0.5", "--task", "raw"]) == 0
    assert read_bundle(folder).model.task.name == "raw"
    assert bundle([str(source), "-o", str(folder), "--task", "classify"]) == 0
    assert bundle([str(source), "-o", str(tmp_path / "no"), "--task", "detect"]) == 2
    assert "none fits by itself" in capsys.readouterr().err
    assert not (tmp_path / "no").exists()
    assert bundle([str(source), "-o", str(folder), "--recipe", "mean=0.5"]) == 0
    capsys.readouterr()
    assert back([str(folder)]) == 0
    assert first.hex() in capsys.readouterr().out
    assert read_bundle(folder).model.fingerprint == first
    assert bundle(["--inspect", str(folder)]) == 0
    assert first.hex() in capsys.readouterr().out
    (folder / "network.bin").write_bytes(b"")
    assert bundle(["--inspect", str(folder)]) == 2
    assert "network.bin is not the file that was written" in capsys.readouterr().err


@pytest.mark.slow
def test_list_writes_nothing(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    source = save(_graph(), tmp_path / "net.xml")
    before = sorted(tmp_path.iterdir())
    assert bundle([str(source), "--list"]) == 0
    assert [line.split()[0] for line in capsys.readouterr().out.splitlines()][1:] == [
        "input",
        "stem",
        "add",
        "pool",
        "output",
    ]
    assert sorted(tmp_path.iterdir()) == before


def test_what_is_missing_or_unknown_is_one_line(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    other = tmp_path / "other"
    other.mkdir()
    (other / "a.txt").touch()
    made = tmp_path / "made"
    made.mkdir()
    (made / MANIFEST).touch()
    source = str(save(_graph(), tmp_path / "net.xml"))
    for arguments, message in (
        ([], "needs a source"),
        ([source], "needs -o FOLDER"),
        ([source, "-o", str(other)], "has a.txt and is no bundle"),
        ([source, "--outptu", "x"], "unknown argument --outptu"),
        ([source, "-o", str(tmp_path / "x"), "--check", "none"], "--check"),
        ([str(tmp_path / "absent.onnx"), "-o", str(tmp_path / "x")], "no such file"),
        ([str(tmp_path / "clip.mp4"), "-o", str(tmp_path / "x")], "accepted: a torchvision name"),
        ([str(made), "--list"], "is a bundle already"),
        (["--inspect", str(other)], MANIFEST),
    ):
        assert bundle(arguments) == 2, arguments
        error = capsys.readouterr().err.splitlines()[-1]
        assert error.startswith("splitdnn: "), arguments
        assert message in error, (arguments, error)
        assert not (tmp_path / "x").exists()
    assert back([str(other)]) == 2
    assert "no bundle" in capsys.readouterr().err


_SIGNALS_ITSELF = """
import os, time

def build():
    os.kill(os.getpid(), {number})
    time.sleep(60)
"""


@pytest.mark.slow
def test_a_signal_leaves_nothing_half_written(tmp_path: Path) -> None:
    for number in (signal.SIGINT, signal.SIGTERM):
        (tmp_path / "net.py").write_text(_SIGNALS_ITSELF.format(number=int(number)))
        folder = tmp_path / number.name
        ended = subprocess.run(
            [sys.executable, "-m", "splitdnn", "bundle", f"{tmp_path}/net.py:build", "-o", str(folder / "net")],
            cwd=Path(__file__).parents[4], capture_output=True, text=True, check=False, timeout=200,
        )  # fmt: skip
        assert (ended.returncode, "Traceback" in ended.stderr) == (128 + number, False), ended.stderr
        assert list(folder.iterdir()) == [], number.name


def test_help(capsys: pytest.CaptureFixture[str]) -> None:
    assert bundle(["--help"]) == 0
    assert "--recipe" in capsys.readouterr().out
