"""timm's networks by name, with what their `pretrained_cfg` says; nothing here is fetched."""

from __future__ import annotations

import logging
import sys
from typing import TYPE_CHECKING

import pytest
import torch
from kits.naming import naming

from shared.errors import ModelError
from shared.network.choice import NetworkChoice
from shared.torch_network import vision  # noqa: F401 - timm imports torchvision, which needs it
from shared.torch_network.partition import TorchPartition
from shared.torch_network.source import build, rebuild
from shared.torch_network.weights import loading

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow  # networks

NAME = "timm:mobilenetv3_small_050"  # 6 MB


def test_without_timm_it_is_said_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "timm", None)
    with pytest.raises(
        ModelError, match=f"^{NAME} needs the package timm, which cannot be imported .*: pip install timm$"
    ):
        build(NetworkChoice(NAME, "random"))


@pytest.fixture
def library() -> object:
    return pytest.importorskip("timm", reason="timm is not installed")


def test_a_network_has_its_own_recipe_and_labels(library: object) -> None:
    network = build(NetworkChoice(NAME, "random", seed=2))
    assert (network.name, network.weights, network.fingerprint) == (NAME, "random:2", None)
    assert (network.recipe.tensor_shape, network.recipe.interpolation, network.recipe.resize) == (
        (3, 224, 224),
        "bicubic",
        256,
    )
    assert len(network.labels) == 1000
    assert network.labels[1].startswith("goldfish")
    assert torch.equal(rebuild(network.source).module.conv_stem.weight, network.module.conv_stem.weight)
    assert not network.module.training


def test_a_transformer_is_cut_at_every_block_and_built_for_another_size(library: object) -> None:
    network = build(NetworkChoice("timm:vit_tiny_patch16_224", "random", recipe="size=64"))
    assert network.recipe.mean == (0.5, 0.5, 0.5)
    partition = TorchPartition(network.module, network.recipe.tensor_shape)
    assert {f"blocks.{number}" for number in range(11)} <= set(partition.points)
    assert partition.point("blocks.3").shapes == ((17, 192),)
    # one that takes any size, and no argument for it
    assert build(NetworkChoice(NAME, "random", recipe="size=64")).recipe.width == 64


def test_own_weights_of_other_classes_are_given_to_it(library: object, tmp_path: Path) -> None:
    state = library.create_model(NAME.partition(":")[2], num_classes=5).state_dict()  # type: ignore[attr-defined]
    torch.save(
        {"state_dict": {f"module.{name}": value for name, value in state.items()}}, tmp_path / "best.pth.tar"
    )
    network = build(NetworkChoice(NAME, str(tmp_path / "best.pth.tar")))
    assert network.weights == "file:best.pth.tar"
    assert network.labels == ()
    assert torch.equal(network.module.classifier.weight, state["classifier.weight"])
    assert network.notes == (
        "weights best.pth.tar: the state dict under 'state_dict'; without the prefix 'module.'",
    )


def test_pretrained_weights_come_from_a_child_with_a_time_limit(
    library: object, monkeypatch: pytest.MonkeyPatch, caplog: pytest.LogCaptureFixture
) -> None:
    state = library.create_model(NAME.partition(":")[2]).state_dict()  # type: ignore[attr-defined]
    asked = []

    def fetch(arguments: list[str], seconds: float) -> None:
        asked.append((arguments[-3:-1], seconds))
        torch.save(state, arguments[-1])

    monkeypatch.setattr("shared.torch_network.timm.download", fetch)
    for choice, seconds in (("auto", loading.AUTO_SECONDS), ("pretrained", 7.0)):
        network = build(NetworkChoice(NAME, choice), patience_s=7)
        with naming(choice):
            assert asked.pop() == (["shared.torch_network.timm", "mobilenetv3_small_050"], seconds)
            assert (network.weights, network.source["weights"]) == (
                "timm:mobilenetv3_small_050",
                "pretrained",
            )
            assert torch.equal(network.module.conv_stem.weight, state["conv_stem.weight"])

    def refuse(arguments: list[str], seconds: float) -> None:
        raise ModelError("the download failed: no route to host")

    monkeypatch.setattr("shared.torch_network.timm.download", refuse)
    with caplog.at_level(logging.WARNING):
        assert build(NetworkChoice(NAME, "auto")).weights == "random:0"
    (record,) = caplog.records
    assert (
        "weights=auto: no pretrained weights (the download failed: no route to host)" in record.getMessage()
    )
    with pytest.raises(
        ModelError,
        match=f"^weights pretrained of {NAME}: the download failed: no route to host; give the path",
    ):
        build(NetworkChoice(NAME, "pretrained"))


def test_unknown_names_are_refused_with_the_nearest(library: object) -> None:
    for name, said in {
        "timm:mobilenetv3_small_51": "timm has no model 'mobilenetv3_small_51'; did you mean mobilenetv3_small_",
        "timm:resnet18.no_such": "timm:resnet18.no_such: RuntimeError: Invalid pretrained tag (no_such) for resnet18",
    }.items():
        with naming(name), pytest.raises(ModelError) as refusal:
            build(NetworkChoice(name, "random"))
        assert str(refusal.value).startswith(said), refusal.value
        assert "\n" not in str(refusal.value)
