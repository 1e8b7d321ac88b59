"""What the user calls a network, and that a bundle's `source` gives it again."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import torch
from kits.naming import naming
from kits.weights import SMALL, same, saved, small_state

from shared.errors import ModelError
from shared.network.choice import NetworkChoice
from shared.torch_network.source import build, is_torch_source, rebuild

ROOT = Path(__file__).resolve().parents[4]


def test_what_needs_torch_is_told_by_its_name() -> None:
    for name in (
        "resnet50",
        "timm:vit_tiny_patch16_224.augreg_in21k",
        "nets/mine.py:build",
        "package.nets:Net.small",
    ):
        with naming(name):
            assert is_torch_source(name)
    for name in (
        "/bundles/resnet50",
        "./resnet50",
        "net.onnx",
        "net.xml",
        "https://host:80/net",
        "",
        "Some Folder",
    ):
        with naming(name):
            assert not is_torch_source(name)


@pytest.mark.slow
def test_telling_needs_no_torch() -> None:
    code = (
        "import sys; from shared.torch_network.source import is_torch_source; assert is_torch_source('resnet50'); "
        "assert not [name for name in sys.modules if name.partition('.')[0] in ('torch', 'torchvision', 'timm')]"
    )
    subprocess.run([sys.executable, "-c", code], cwd=ROOT, check=True)


def test_a_network_from_torchvision_is_built_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    saved(tmp_path, {"model": small_state(), "model_ema": small_state()}, "best.pth")
    for choice in (
        NetworkChoice(SMALL, "random", seed=3, recipe="size=64,mean=0.5"),
        NetworkChoice(SMALL, "best.pth"),
        NetworkChoice(SMALL, "best.pth:model_ema"),
    ):
        network = build(choice)
        with naming(choice), monkeypatch.context() as elsewhere:
            elsewhere.chdir("/")
            again = rebuild(network.source)
            assert (again.fingerprint, again.recipe) == (network.fingerprint, network.recipe)
            assert again.source == network.source
            assert same(again.module, network.module)


def test_a_network_of_ones_own_is_built_again(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    Path("once.py").write_text("from torch import nn\n\ndef build():\n    return nn.Conv2d(3, 2, 1)\n")
    for name in ("once.py:build", "once:build"):
        network = build(NetworkChoice(name, seed=5, recipe="size=16"))
        with naming(name), monkeypatch.context() as elsewhere:
            elsewhere.chdir("/")
            sys.modules.pop("once", None)
            elsewhere.setattr(sys, "path", [path for path in sys.path if path not in ("", str(tmp_path))])
            again = rebuild(network.source)
            assert torch.equal(again.module.weight, network.module.weight)
            assert again.recipe == network.recipe
    sys.modules.pop("once", None)


def test_other_weights_may_stand_for_those_that_are_gone(tmp_path: Path) -> None:
    path = saved(tmp_path, small_state(), "gone.pth")
    network = build(NetworkChoice(SMALL, path))
    moved = Path(path).rename(tmp_path / "moved.pth")
    with pytest.raises(ModelError) as refusal:
        rebuild(network.source)
    assert str(refusal.value).startswith(
        f"the bundle's network cannot be built again from {SMALL} with weights {path}: weights '{path}': no such file"
    )
    assert str(refusal.value).endswith(
        "put the files back, name the weights with --weights, or make the bundle again"
    )
    assert rebuild(network.source, weights=str(moved)).fingerprint == network.fingerprint


def test_a_bundle_from_elsewhere_is_not_built_by_torch() -> None:
    for source in ({"kind": "onnx", "file": "net.onnx"}, {}):
        with (
            naming(source),
            pytest.raises(
                ModelError, match="the torch engine needs a bundle from torchvision, timm, function"
            ),
        ):
            rebuild(source)


def test_what_a_fetched_bundle_names_is_built_only_if_a_library_has_it() -> None:
    for kind, model in (
        ("function", "evil:build"),
        ("function", "resnet18"),
        ("torchvision", "os:getcwd"),
        ("timm", "a.py:build"),
        ("onnx", "x.onnx"),
    ):
        source: dict[str, str | int | None] = {"kind": kind, "model": model}
        with naming(source), pytest.raises(ModelError, match="code that a cloud names is not run"):
            rebuild(source, fetched=True)
    assert (
        rebuild({"kind": "torchvision", "model": SMALL, "weights": "random", "seed": 1}, fetched=True).name
        == SMALL
    )
