"""Architecture, weights, recipe and labels as one model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from kits.weights import same

from shared.errors import ModelError
from shared.network.choice import NetworkChoice
from shared.torch_network.partition import TorchPartition
from shared.torch_network.source import build
from shared.torch_network.vision import get_model, get_model_weights

if TYPE_CHECKING:
    from pathlib import Path

    from shared.torch_network.network import TorchNetwork

SMALL = "shufflenet_v2_x0_5"  # 5 MB, with batch normalisation


@pytest.fixture(scope="module")
def small() -> TorchNetwork:
    return build(NetworkChoice(SMALL, "random"))


def test_the_same_seed_gives_the_same_model(small: TorchNetwork) -> None:
    again = build(NetworkChoice(SMALL, "random", seed=0))
    assert same(small.module, again.module)
    assert small.fingerprint == again.fingerprint


def test_another_seed_gives_another_model(small: TorchNetwork) -> None:
    other = build(NetworkChoice(SMALL, "random", seed=1))
    assert other.weights == "random:1"
    assert not same(small.module, other.module)
    assert small.fingerprint != other.fingerprint


def test_the_callers_random_numbers_neither_steer_it_nor_move(small: TorchNetwork) -> None:
    torch.manual_seed(99)
    np_before = np.random.get_state()[1].copy()  # noqa: NPY002 - the global generator is what is looked at
    before = torch.get_rng_state()
    again = build(NetworkChoice(SMALL, "random"))
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(np.random.get_state()[1], np_before)  # noqa: NPY002
    assert again.fingerprint == small.fingerprint


def test_a_model_is_ready_to_infer(small: TorchNetwork) -> None:
    assert not any(module.training for module in small.module.modules())
    assert not any(parameter.requires_grad for parameter in small.module.parameters())
    assert {parameter.dtype for parameter in small.module.parameters()} == {torch.float32}
    assert (small.name, small.weights) == (SMALL, "random:0")


def test_the_recipe_and_labels_are_those_of_the_weights(small: TorchNetwork) -> None:
    member = get_model_weights(SMALL)["IMAGENET1K_V1"]
    preset = member.transforms()
    recipe = small.recipe
    assert [recipe.resize] == preset.resize_size
    assert [recipe.width, recipe.height] == preset.crop_size * 2
    assert (list(recipe.mean), list(recipe.std)) == (preset.mean, preset.std)
    assert recipe.interpolation == preset.interpolation.value
    assert small.labels == tuple(member.meta["categories"])


@pytest.mark.parametrize(
    ("name", "nearest"), [("resnet5O", "resnet50"), ("ResNet50", "resnet50"), ("vgg", "vgg1")]
)
def test_an_unknown_model_is_refused_with_the_nearest_names(name: str, nearest: str) -> None:
    with pytest.raises(ModelError, match=f"unknown model '{name}'; did you mean .*{nearest}"):
        build(NetworkChoice(name, "random"))


def test_an_unknown_model_is_told_what_else_is_accepted() -> None:
    with pytest.raises(
        ModelError, match=r"timm:NAME, file\.py:build, package\.module:build, or the path of a bundle"
    ):
        build(NetworkChoice("mine", "random"))


@pytest.mark.parametrize(
    ("name", "why"),
    [
        ("raft_small", r" \(of torchvision.models.optical_flow\): its forward requires image1, image2"),
        (
            "r3d_18",
            r" \(of torchvision.models.video\) does not run on a picture of 3 channels, 112x112: RuntimeError: ",
        ),
    ],
)
def test_networks_of_other_things_than_one_picture_are_refused(name: str, why: str) -> None:
    with pytest.raises(ModelError, match=f"^{name}{why}") as refusal:
        build(NetworkChoice(name, "random"))
    assert "\n" not in str(refusal.value)


def test_weights_of_torch_s_own_8_bit_numbers_are_refused_with_those_that_they_were_made_of() -> None:
    for weights in ("auto", "DEFAULT", "IMAGENET1K_FBGEMM_V1"):
        with pytest.raises(
            ModelError, match=r"^quantized_resnet18: its weights IMAGENET1K_FBGEMM_V1 "
        ) as refusal:
            build(NetworkChoice("quantized_resnet18", weights))
        assert "resnet18 with the weights that they were made of, IMAGENET1K_V1, or random" in str(
            refusal.value
        )


def test_unknown_weights_are_refused_with_every_name_once() -> None:
    for name in ("V9", "IMAGENET1K_V9"):
        with pytest.raises(
            ModelError, match="has no weights of that name; accepted: auto, random, "
        ) as refusal:
            build(NetworkChoice(SMALL, name))
        assert str(refusal.value).count("IMAGENET1K_V1") == str(refusal.value).count("DEFAULT") == 1, name


@pytest.mark.slow
def test_a_segmentation_network_keeps_the_whole_picture_and_names_its_planes(tmp_path: Path) -> None:
    network = build(NetworkChoice("lraspp_mobilenet_v3_large", "random", recipe="size=64"))
    assert (network.recipe.fit, network.recipe.tensor_shape) == ("letterbox", (3, 64, 64))
    assert (len(network.labels), network.labels[:2]) == (21, ("__background__", "aeroplane"))
    partition = TorchPartition(network.module, network.recipe.tensor_shape)
    assert partition.outputs == ("out",)
    assert partition.ends[1].shapes == ((21, 64, 64),)
    assert len(partition.points) > 5
    own = get_model("lraspp_mobilenet_v3_large", weights=None, weights_backbone=None, num_classes=3)
    torch.save(own.state_dict(), tmp_path / "own.pth")
    network = build(NetworkChoice("lraspp_mobilenet_v3_large", str(tmp_path / "own.pth"), recipe="size=64"))
    assert network.labels == ("class 0", "class 1", "class 2")


@pytest.mark.slow
def test_a_detector_prepares_pictures_as_it_says_and_its_classes_are_those_of_its_file(
    tmp_path: Path,
) -> None:
    name = "ssdlite320_mobilenet_v3_large"
    network = build(NetworkChoice(name, "random", recipe="size=160"))
    assert (network.recipe.fit, network.recipe.tensor_shape) == ("stretch", (3, 160, 160))
    assert (network.recipe.mean, network.labels[:2]) == ((0.5,) * 3, ("__background__", "person"))
    assert network.task is not None
    assert (network.task.name, dict(network.task.options)["background"]) == ("detect", 0)
    assert not any(module.training for module in network.module.modules())
    assert not any(parameter.requires_grad for parameter in network.module.parameters())
    own = get_model(name, weights=None, weights_backbone=None, num_classes=3)
    torch.save(own.state_dict(), tmp_path / "own.pth")
    network = build(NetworkChoice(name, str(tmp_path / "own.pth"), recipe="size=160"))
    assert network.labels == ("class 0", "class 1", "class 2")
    assert same(network.module, own)
    assert network.module(torch.zeros(1, 3, 160, 160))["scores"].shape[2] == 3
    state = own.state_dict()
    state["head.extra.weight"] = state.popitem()[1]
    torch.save(state, tmp_path / "other.pth")
    with pytest.raises(
        ModelError, match=rf"^weights file:other\.pth do not fit {name}: 1 parameters missing, 1 "
    ):
        build(NetworkChoice(name, str(tmp_path / "other.pth"), recipe="size=160"))


def test_the_recipe_can_be_changed_and_changes_the_fingerprint(small: TorchNetwork) -> None:
    other = build(NetworkChoice(SMALL, "random", recipe="resize=232,mean=0"))
    assert (other.recipe.resize, other.recipe.mean, other.recipe.std) == (232, (0, 0, 0), small.recipe.std)
    assert other.fingerprint != small.fingerprint


def test_a_position_table_has_the_size_of_the_recipe() -> None:
    network = build(NetworkChoice("vit_b_32", "random", recipe="size=64"))
    assert network.module(torch.zeros(1, 3, 64, 64)).shape == (1, 1000)


def test_labels_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"labels .*none\.txt: .*No such file"):
        build(NetworkChoice(SMALL, "random", labels=str(tmp_path / "none.txt")))
    (tmp_path / "latin.txt").write_bytes("café".encode("latin-1"))
    with pytest.raises(ModelError, match=r"labels .*latin\.txt: .*not UTF-8"):
        build(NetworkChoice(SMALL, "random", labels=str(tmp_path / "latin.txt")))
