"""Architecture, weights, recipe and labels as one model."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from kits.weights import same
from shared.network.vision import get_model_weights

from shared.errors import ModelError
from shared.network import model as models
from shared.network.model import Model, load_model

if TYPE_CHECKING:
    from pathlib import Path

SMALL = "shufflenet_v2_x0_5"  # 5 MB, with batch normalisation


@pytest.fixture(scope="module")
def small() -> Model:
    return load_model(SMALL, "random")


def test_the_same_seed_gives_the_same_model(small: Model) -> None:
    again = load_model(SMALL, "random", seed=0)
    assert same(small.network, again.network)
    assert small.fingerprint == again.fingerprint


def test_another_seed_gives_another_model(small: Model) -> None:
    other = load_model(SMALL, "random", seed=1)
    assert other.weights == "random:1"
    assert not same(small.network, other.network)
    assert small.fingerprint != other.fingerprint


def test_the_callers_random_numbers_neither_steer_it_nor_move(small: Model) -> None:
    torch.manual_seed(99)
    np_before = np.random.get_state()[1].copy()  # noqa: NPY002 - the global generator is what is looked at
    before = torch.get_rng_state()
    again = load_model(SMALL, "random")
    assert torch.equal(torch.get_rng_state(), before)
    assert np.array_equal(np.random.get_state()[1], np_before)  # noqa: NPY002
    assert again.fingerprint == small.fingerprint


def test_a_model_is_ready_to_infer(small: Model) -> None:
    assert not any(module.training for module in small.network.modules())
    assert not any(parameter.requires_grad for parameter in small.network.parameters())
    assert {parameter.dtype for parameter in small.network.parameters()} == {torch.float32}
    assert (small.name, small.weights) == (SMALL, "random:0")


def test_the_recipe_and_labels_are_those_of_the_weights(small: Model) -> None:
    member = get_model_weights(SMALL)["IMAGENET1K_V1"]
    preset = member.transforms()
    recipe = small.recipe
    assert [recipe.resize] == preset.resize_size
    assert [recipe.crop] == preset.crop_size
    assert (list(recipe.mean), list(recipe.std)) == (preset.mean, preset.std)
    assert recipe.interpolation == preset.interpolation.value
    assert small.labels == tuple(member.meta["categories"])


@pytest.mark.parametrize("name", ["googlenet", "inception_v3"])
def test_inputs_are_rescaled_where_the_pretrained_weights_want_it(name: str) -> None:
    assert load_model(name, "random").network.transform_input is True


@pytest.mark.parametrize(
    ("name", "nearest"), [("resnet5O", "resnet50"), ("ResNet50", "resnet50"), ("vgg", "vgg1")]
)
def test_an_unknown_model_is_refused_with_the_nearest_names(name: str, nearest: str) -> None:
    with pytest.raises(ModelError, match=f"unknown model '{name}'; did you mean .*{nearest}"):
        load_model(name, "random")


def test_only_classifiers_are_offered() -> None:
    known = models.architectures()
    assert {"resnet50", "mobilenet_v2", "vit_b_16"} <= set(known)
    assert not [name for name in known if "rcnn" in name or "fcn" in name or "raft" in name]


def test_labels_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"labels .*none\.txt: .*No such file"):
        load_model(SMALL, "random", labels=str(tmp_path / "none.txt"))
    (tmp_path / "latin.txt").write_bytes("café".encode("latin-1"))
    with pytest.raises(ModelError, match=r"labels .*latin\.txt: .*utf-8"):
        load_model(SMALL, "random", labels=str(tmp_path / "latin.txt"))
