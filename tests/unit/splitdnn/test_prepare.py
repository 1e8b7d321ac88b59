"""`splitdnn prepare` leaves a bundle behind that processes without torch find."""

from __future__ import annotations

import importlib.util
import os
import subprocess
import sys
from pathlib import Path

import pytest
from kits import bundles

from shared.errors import ModelError
from shared.network import find
from shared.network.choice import NetworkChoice
from splitdnn.prepare import main

ROOT = Path(__file__).resolve().parents[3]


@pytest.fixture(autouse=True)
def handler(monkeypatch):
    """The tests' own process keeps its signals and its settings."""
    monkeypatch.setattr("signal.signal", lambda *_: None)
    for name in [name for name in os.environ if name.startswith("SPLITDNN_")]:
        monkeypatch.delenv(name)


@pytest.fixture
def makers(monkeypatch):
    """What the child process was asked to make; weights that are to be fetched never arrive."""
    asked = []

    def make(choice, folder, _patience_s):
        asked.append(choice.weights)
        weights = "random:0" if choice.weights in ("auto", "random") else choice.weights
        bundles.make(folder, change=lambda fields: fields.update(weights=weights))

    monkeypatch.setattr(find, "make_in_child", make)
    return asked


@pytest.fixture
def without_torch(monkeypatch):
    """A function that takes torch away."""
    real = importlib.util.find_spec

    def take() -> None:
        monkeypatch.setattr(
            importlib.util, "find_spec", lambda name, *rest: None if name == "torch" else real(name, *rest)
        )

    return take


def prepared(capsys, *arguments):
    status = main(arguments)
    return status, capsys.readouterr()


def test_what_torch_has_made_is_found_without_it(tmp_path, capsys, makers, without_torch):
    for weights in ("random", "auto"):
        arguments = ("--model", "resnet18", "--weights", weights, "--cache-dir", str(tmp_path / weights))
        status, first = prepared(capsys, *arguments)
        assert status == 0, first.err
        folder = Path(first.out.strip())
        assert (folder / "bundle.json").is_file(), weights
    assert makers == ["random", "auto"]
    without_torch()
    for weights in ("random", "auto"):
        arguments = ("--model", "resnet18", "--weights", weights, "--cache-dir", str(tmp_path / weights))
        status, second = prepared(capsys, *arguments)
        assert status == 0, second.err
        assert Path(second.out.strip()).parent == tmp_path / weights
    assert makers == ["random", "auto"], "nothing was made again"


def test_what_was_prepared_elsewhere_is_read_there_and_nothing_is_written_there(
    tmp_path, capsys, makers, without_torch
):
    made, own = tmp_path / "made", tmp_path / "own"
    status, _ = prepared(capsys, "--model", "resnet18", "--weights", "random", "--cache-dir", str(made))
    assert status == 0
    before = {path: path.stat().st_size for path in made.rglob("*")}
    without_torch()
    choice = NetworkChoice("resnet18", "random")
    with pytest.raises(ModelError, match="torch, which makes one, is not installed"):
        find.find_bundle(choice, str(own), patience_s=1)
    bundle = find.find_bundle(choice, str(own), bundles_dir=str(made), patience_s=1)
    assert bundle.folder.parent == made
    assert {path: path.stat().st_size for path in made.rglob("*")} == before
    assert makers == ["random"]


def test_an_edge_without_torch_takes_what_is_there_however_old_the_failed_download(
    tmp_path, makers, without_torch
):
    choice = NetworkChoice("resnet18")
    made = find.find_bundle(choice, str(tmp_path), patience_s=1, clock=lambda: 0.0)
    without_torch()
    found = find.find_bundle(choice, str(tmp_path), patience_s=1, clock=lambda: 1e9)
    assert found.folder == made.folder
    assert len(makers) == 1


def test_without_torch_and_without_a_bundle_it_says_what_to_run(tmp_path, makers, without_torch):
    without_torch()
    with pytest.raises(ModelError, match=r"run `splitdnn bundle resnet18 -o FOLDER` where torch is"):
        find.find_bundle(NetworkChoice("resnet18"), str(tmp_path), patience_s=1)
    assert makers == []


def test_a_bundle_s_folder_is_taken_as_it_is(capsys, makers):
    folder = bundles.tiny().folder
    status, said = prepared(capsys, "--model", str(folder))
    assert (status, said.out.strip()) == (0, str(folder))
    assert makers == []


def test_a_folder_that_may_not_be_read_is_named(monkeypatch, capsys):
    def refuse(_path):
        raise PermissionError(13, "Permission denied")

    monkeypatch.setattr(Path, "is_file", refuse)
    status, said = prepared(capsys, "--model", "/media/mine")
    assert status == 2
    assert "model /media/mine: Permission denied; accepted:" in said.err


def test_an_edge_that_fetches_its_cloud_s_network_needs_nothing(capsys, makers):
    status, said = prepared(capsys, "--model", "cloud")
    assert (status, said.out) == (0, "")
    assert makers == []


def test_what_cannot_be_made_is_one_line(tmp_path, capsys, monkeypatch):
    def fail(*_):
        raise ModelError("model resnat18: no such network")

    monkeypatch.setattr(find, "make_in_child", fail)
    cases = {
        "splitdnn: model resnat18: no such network": ("--model", "resnat18", "--cache-dir", str(tmp_path)),
        "splitdnn: --cache-dir is empty; accepted: the folder that edge and cloud read": ("--cache-dir", ""),
        "splitdnn: unexpected argument clip.mp4; every setting has its flag, as in --source clip.mp4": (
            "clip.mp4",
        ),
    }
    for line, arguments in cases.items():
        status, said = prepared(capsys, *arguments)
        assert status == 2, line
        assert said.err.splitlines()[-1] == line


@pytest.mark.slow
def test_finding_a_bundle_loads_neither_torch_nor_openvino():
    program = (
        "import sys; from splitdnn.prepare import main; status = main(sys.argv[1:]); "
        "print(status, sorted({'torch', 'torchvision', 'openvino', 'cv2'} & set(sys.modules)))"
    )
    command = [sys.executable, "-c", program, "--model", str(bundles.tiny().folder)]
    done = subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=True)
    assert done.stdout.splitlines()[-1] == "0 []", done.stderr
