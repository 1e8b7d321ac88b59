"""From a source to a folder, end to end."""

from __future__ import annotations

import json
import subprocess
import sys
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
from kits import graphs
from kits.graphs import model, picture, residual, save
from safetensors.numpy import load_file

from shared.bundling import bundler
from shared.bundling.bundler import find_split_points, make_bundle, make_reported
from shared.bundling.checking.halves import Halves
from shared.bundling.checking.probe import relative_error, sample
from shared.engines.openvino.runtime import core, operations
from shared.errors import ModelError
from shared.network.bundle import Bundle, read_bundle
from shared.network.choice import NetworkChoice
from shared.network.partition import INPUT, OUTPUT

if TYPE_CHECKING:
    from collections.abc import Mapping

    from shared.bundling.bundler import Report
    from shared.engines.half import Tensors
    from shared.network.partition import SplitPoint

pytestmark = pytest.mark.slow  # compiles networks

_ROOT = Path(__file__).parents[4]
_DETECTOR = _ROOT.parent / "shared" / "weights" / "fastestdet.onnx"

_MODULE = '''
import torch

class Net(torch.nn.Module):
    """torch.fx cannot trace it: what it does depends on a value."""

    def __init__(self):
        super().__init__()
        self.stem = torch.nn.Sequential(torch.nn.Conv2d(3, 8, 3, 2, 1), torch.nn.BatchNorm2d(8), torch.nn.ReLU())
        self.body = torch.nn.Conv2d(8, 8, 3, 1, 1)
        self.head = torch.nn.Linear(8, 5)

    def forward(self, pictures):
        values = self.stem(pictures)
        if values.abs().sum() >= 0:
            values = values + self.body(values)
        return {"logits": self.head(values.mean((2, 3))), "maps": [values.sigmoid()]}

def build():
    torch.manual_seed(0)
    return Net()
'''


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> tuple[Bundle, Report]:
    """A bundle of a module of one's own."""
    folder = tmp_path_factory.mktemp("module")
    (folder / "mynet.py").write_text(_MODULE)
    (folder / "bundle").mkdir()
    choice = NetworkChoice(f"{folder / 'mynet.py'}:build", recipe="size=16,mean=0.5")
    return make_reported(choice, folder / "bundle", patience_s=1, check="all")


def test_the_folder_is_a_bundle(made: tuple[Bundle, Report]) -> None:
    bundle = read_bundle(made[0].folder)
    assert bundle.batch is None
    assert (bundle.model.recipe.width, bundle.model.recipe.mean) == (16, (0.5,) * 3)
    assert bundle.model.outputs == ("logits", "maps.0")
    assert bundle.model.task.name == "raw"
    assert bundle.partition.point(OUTPUT).shapes == ((5,), (8, 8, 8))
    assert next(iter(bundle.partition.points)) == INPUT
    assert "stem.2.relu" in bundle.partition.points
    assert set(bundle.manifest.made_with) >= {"splitdnn", "torch", "openvino"}
    assert all(
        path.stat().st_mode & 0o044 for path in bundle.folder.iterdir()
    )  # the cloud may be another user


def test_the_report_says_what_was_checked(made: tuple[Bundle, Report]) -> None:
    bundle, report = made
    assert report.reference == "torch"
    assert 0 <= report.parity < 1e-5
    assert 0 <= report.cut_error < 1e-5
    assert report.checked == len(bundle.partition.points) - 2
    assert any("torch.fx cannot trace" in note for note in report.notes)


def test_results_are_named_in_order(made: tuple[Bundle, Report]) -> None:
    bundle = made[0]
    names = [result.get_friendly_name() for result in core().read_model(bundle.network).get_results()]
    inner = [name for name in bundle.partition.points if name not in (INPUT, OUTPUT)]
    assert names == [*(f"split point {name}" for name in inner), "output 0", "output 1"]


def test_the_probe_holds_what_the_reference_computes(made: tuple[Bundle, Report]) -> None:
    bundle = made[0]
    probe = load_file(bundle.probe)
    pictures = probe["pictures"]
    assert (pictures.shape, pictures.dtype) == ((2, 16, 16, 3), np.uint8)
    tensors = np.stack([bundle.model.recipe.normalise(each) for each in pictures])
    halves = Halves(core().read_model(bundle.network), bundle.partition, bundle.batch)
    for point in bundle.partition.points.values():
        if point.name in (INPUT, OUTPUT):
            continue
        (crossing,) = halves.head(point, (tensors,))
        np.testing.assert_allclose(probe[f"sample/{point.name}"], sample(crossing), rtol=1e-3, atol=1e-5)
    outputs = tuple(probe[f"outputs/{index}"] for index in range(2))
    assert (
        relative_error(
            halves.tail(
                bundle.partition.point("stem.2.relu"),
                halves.head(bundle.partition.point("stem.2.relu"), (tensors,)),
            ),
            outputs,
        )
        < 1e-4
    )
    given = [name.removeprefix("given/") for name in probe if name.startswith("given/")]
    assert bundle.partition.default().name in given
    for name in given:
        crossing = probe[f"given/{name}"].astype(np.float32) * probe[f"scale/{name}"]
        answers = tuple(probe[f"answers/{name}/{index}"] for index in range(2))
        assert relative_error(halves.tail(bundle.partition.point(name), (crossing,)), answers) < 1e-4, name


def test_the_same_source_gives_the_same_fingerprint(made: tuple[Bundle, Report], tmp_path: Path) -> None:
    choice = NetworkChoice(str(made[0].source["model"]), recipe="size=16,mean=0.5")
    assert make_bundle(choice, tmp_path, patience_s=1).model.fingerprint == made[0].model.fingerprint


def test_a_network_for_one_picture_is_cut_rightly(tmp_path: Path) -> None:
    given = picture((1, 3, 8, 8))
    folded = operations.reshape(given, operations.constant([6, 2, 16]), special_zero=False, name="folded")
    back = operations.reshape(
        operations.relu(folded), operations.constant([1, 3, 8, 8]), special_zero=False, name="back"
    )
    path = save(model(given, residual(back)), tmp_path / "one.xml")
    folder = tmp_path / "bundle"
    folder.mkdir()
    bundle, report = make_reported(NetworkChoice(str(path)), folder, patience_s=1, check="all")
    assert bundle.batch == 1
    assert bundle.partition.point("folded").shapes == ((6, 2, 16),)
    assert load_file(bundle.probe)["sample/folded"].shape == (2, 192)
    assert report.cut_error < 1e-5
    assert report.reference is None
    assert bundle.model.labels == tuple(f"class {number}" for number in range(5))


class _Wrong:
    name = "abacus"

    def crossings(self, pictures: Tensors) -> Mapping[str, Tensors]:
        return {OUTPUT: (np.ones((len(pictures[0]), 5), np.float32),)}

    def tail(self, point: SplitPoint, crossing: Tensors) -> Tensors | None:
        del point, crossing
        return None


def test_another_result_than_the_frameworks_is_no_bundle(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    from dataclasses import replace

    find = bundler.find_source
    monkeypatch.setattr(
        bundler,
        "find_source",
        lambda choice, patience_s: replace(find(choice, patience_s=patience_s), reference=_Wrong()),
    )
    given = picture()
    path = save(model(given, residual(given)), tmp_path / "net.xml")
    folder = tmp_path / "bundle"
    folder.mkdir()
    with pytest.raises(ModelError, match="computes this network otherwise than abacus"):
        make_bundle(NetworkChoice(str(path)), folder, patience_s=1)
    assert list(folder.iterdir()) == []


@pytest.mark.skipif(not _DETECTOR.is_file(), reason="needs ../shared/weights/fastestdet.onnx")
def test_a_detector_can_be_cut_where_one_tensor_crosses_and_where_two_are_cheaper(tmp_path: Path) -> None:
    bundle, report = make_reported(NetworkChoice(str(_DETECTOR)), tmp_path, patience_s=1, check="all")
    several = [point for point in bundle.partition.points.values() if len(point.shapes) > 1]
    assert len(bundle.partition.points) == 28 + len(several)
    assert 1 <= len(several) <= 8
    assert report.checked == 26 + len(several)
    assert report.cut_error < 1e-5
    assert bundle.partition.point(OUTPUT).shapes == ((85, 22, 22),)


def test_the_child_process(tmp_path: Path) -> None:
    given = picture()
    path = save(model(given, residual(given)), tmp_path / "net.xml")
    folder = tmp_path / "bundle"
    folder.mkdir()

    def start(source: Path) -> subprocess.CompletedProcess[str]:
        command = [
            sys.executable,
            "-m",
            "shared.bundling",
            json.dumps({"model": str(source)}),
            str(folder),
            "5",
        ]
        return subprocess.run(command, cwd=_ROOT, capture_output=True, text=True, check=False, timeout=200)

    done = start(path)
    assert (done.returncode, done.stdout) == (0, "")
    assert "bundled net" in done.stderr
    assert read_bundle(folder).model.name == "net"
    failed = start(tmp_path / "absent.onnx")
    assert failed.returncode == 2
    assert failed.stderr.splitlines()[-1].startswith("splitdnn: model ")
    assert "Traceback" not in failed.stderr


def test_split_points_are_found_without_a_folder(tmp_path: Path) -> None:
    given = picture()
    path = save(model(given, residual(given)), tmp_path / "net.xml")
    points = find_split_points(NetworkChoice(str(path)), patience_s=1).points
    assert list(points) == [INPUT, "stem", "add", "pool", OUTPUT]
    assert points[INPUT].shape[-1] == graphs.SIDE
