"""Bundles from code; and that a network that runs from one brings no torch."""

from __future__ import annotations

import os
import subprocess
import sys
from pathlib import Path

import numpy as np
import pytest
from kits.bundles import pictures, recipe, tiny

from splitdnn import ModelError, Outputs, SettingsError, load_network, make_bundle, read_bundle

ROOT = Path(__file__).resolve().parents[3]

NETWORK = """
import torch

def build():
    torch.manual_seed(0)
    return torch.nn.Sequential(
        torch.nn.Conv2d(3, 4, 3), torch.nn.ReLU(), torch.nn.AdaptiveAvgPool2d(1), torch.nn.Flatten(), torch.nn.Linear(4, 7)
    )
"""

RUN = """
import sys
import numpy as np
from splitdnn import load_network, pack

network = load_network(sys.argv[1], precision="float32", cache_dir="")
split = network.split("pool", "int8+zstd")
frame = pack(split.to_frame(np.zeros((20, 30, 3), np.uint8)))
print(len(split.answer_frame(frame).top))
print(*(name for name in ("torch", "torchvision") if name in sys.modules))
"""


def test_a_bundle_is_loaded_from_its_folder():
    folder = tiny().folder
    network = load_network(folder, precision="float32", cache_dir="")
    assert network.bundle.folder == folder
    assert (network.name, network.recipe) == ("tiny", recipe())
    assert network.fingerprint == read_bundle(str(folder)).model.fingerprint


def test_several_outputs_are_a_tuple_and_its_answer():
    network = load_network(tiny(outputs=2).folder, precision="float32", cache_dir="")
    picture = pictures(1)[0]
    outputs = network.whole(network.prepare(picture))
    assert [each.shape for each in outputs] == [(1, 5), (1, 17)]
    split = network.split("mix", "float32")
    for found, whole in zip(split.tail(split.head(split.prepare(picture))), outputs, strict=True):
        np.testing.assert_allclose(found, whole, atol=1e-5)
    answer = split.answer_frame(split.to_frame(picture))
    assert isinstance(answer, Outputs)
    assert [each.name for each in answer.outputs] == ["classes", "widths"]
    assert network.split("output").tail(outputs) is outputs


def test_running_a_bundle_brings_no_torch():
    done = subprocess.run(
        [sys.executable, "-c", RUN, str(tiny().folder)], env={**os.environ, "PYTHONPATH": str(ROOT)},
        capture_output=True, text=True, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stderr
    assert done.stdout.splitlines() == ["5", ""]


@pytest.mark.slow
def test_a_bundle_is_made_from_code_and_the_one_before_is_kept(tmp_path):
    (tmp_path / "net.py").write_text(NETWORK)
    source, folder = f"{tmp_path / 'net.py'}:build", tmp_path / "made"
    first = make_bundle(source, folder, recipe="size=32")
    assert first.folder == folder
    assert first.partition.point("1").shape == (4, 30, 30)
    second = make_bundle(source, str(folder), recipe="size=48")
    assert second.model.recipe.width == read_bundle(folder).model.recipe.width == 48
    assert read_bundle(tmp_path / "made.previous").model.fingerprint == first.model.fingerprint
    assert first.model.fingerprint != second.model.fingerprint


def test_what_cannot_be_bundled_leaves_nothing(tmp_path):
    folder = tmp_path / "made"
    for source, error in (("nothing.onnx", ModelError), ("nowhere.py:build", ModelError)):
        with pytest.raises(error):
            make_bundle(source, folder)
    with pytest.raises(ModelError):
        load_network(str(tmp_path), cache_dir="")
    with pytest.raises(SettingsError, match=r"the bundle .* has its own"):
        load_network(tiny().folder, recipe="size=9", cache_dir="")
    assert list(tmp_path.iterdir()) == []
