"""Architecture, weights, recipe and labels as one model, and its fingerprint."""

from __future__ import annotations

import hashlib
import itertools
import re
from dataclasses import replace
from pathlib import Path
from typing import ClassVar

import numpy as np
import pytest
import torch

from shared.errors import ModelError
from shared.limits import FINGERPRINT_BYTES
from shared.network import model as models
from shared.network.model import Model, load_model
from shared.network.vision import get_model, get_model_weights
from shared.network.weights import Weights

SMALL = "shufflenet_v2_x0_5"  # 5 MB, with batch normalisation


@pytest.fixture(scope="module")
def small() -> Model:
    return load_model(SMALL, "random")


def same(one: torch.nn.Module, other: torch.nn.Module) -> bool:
    first, second = one.state_dict(), other.state_dict()
    return first.keys() == second.keys() and all(torch.equal(first[name], second[name]) for name in first)


def saved(folder: Path, state: object, name: str = "mine.pth") -> str:
    torch.save(state, folder / name)
    return str(folder / name)


# --- random weights ---------------------------------------------------------------------------------------------------


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


# --- what a model is --------------------------------------------------------------------------------------------------


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


# --- weights from a file ----------------------------------------------------------------------------------------------


def test_a_resnet18_comes_back_from_its_file(tmp_path: Path) -> None:
    network = get_model("resnet18", weights=None).eval()
    loaded = load_model("resnet18", saved(tmp_path, network.state_dict()))
    assert loaded.weights == "file:mine.pth"
    assert same(loaded.network, network)
    picture = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(loaded.network(picture), network(picture))


def test_a_file_of_float16_gives_a_float32_model(small: Model, tmp_path: Path) -> None:
    state = {
        name: value.half() if value.is_floating_point() else value
        for name, value in small.network.state_dict().items()
    }
    loaded = load_model(SMALL, saved(tmp_path, state))
    assert {parameter.dtype for parameter in loaded.network.parameters()} == {torch.float32}
    assert all(
        torch.equal(value, state[name].to(value.dtype)) for name, value in loaded.network.state_dict().items()
    )


# Those whose constructors compute with tensors (RegNet, Swin) or that look at how they are loaded (MNASNet, ViT).
@pytest.mark.parametrize("name", ["mnasnet0_5", "regnet_x_400mf", "swin_t", "convnext_tiny", "vit_b_32"])
def test_every_kind_of_network_comes_back_from_its_file(name: str, tmp_path: Path) -> None:
    model = load_model(name, "random")
    loaded = load_model(name, saved(tmp_path, model.network.state_dict()))
    assert loaded.fingerprint == model.fingerprint
    assert not any(parameter.requires_grad for parameter in loaded.network.parameters())
    picture = torch.rand(1, *model.recipe.tensor_shape)
    with torch.inference_mode():
        assert torch.equal(loaded.network(picture), model.network(picture))


@pytest.mark.parametrize("name", models.architectures())
def test_weights_bring_all_that_a_network_is_built_without(name: str) -> None:
    with models._WithoutValues():
        network = get_model(name, weights=None, **models._BUILD_ARGUMENTS.get(name, {}))
    tensors = dict(itertools.chain(network.named_parameters(), network.named_buffers()))
    without = {key for key, tensor in tensors.items() if tensor.is_meta}
    assert without
    assert without <= network.state_dict().keys()
    left = sum(tensor.nbytes for key, tensor in tensors.items() if key not in without)
    assert left < 0.05 * sum(tensor.nbytes for tensor in tensors.values())


def test_a_file_of_another_architecture_is_refused_with_the_differences(small: Model, tmp_path: Path) -> None:
    path = saved(tmp_path, small.network.state_dict())
    with pytest.raises(ModelError) as refusal:
        load_model("squeezenet1_1", path)
    message = str(refusal.value)
    assert message.startswith("weights file:mine.pth do not fit squeezenet1_1: 52 parameters missing, ")
    assert "first: features.0.weight; conv1.0.weight" in message


def test_a_file_with_nan_is_refused(small: Model, tmp_path: Path) -> None:
    state = {name: value.clone() for name, value in small.network.state_dict().items()}
    state["conv5.0.weight"][3, 4] = float("nan")
    with pytest.raises(ModelError, match=f"do not fit {SMALL}: some weights are NaN or infinite"):
        load_model(SMALL, saved(tmp_path, state))


# --- a classifier of one's own ----------------------------------------------------------------------------------------

NEWLINE = "\n"


@pytest.fixture(scope="module", params=[SMALL, "squeezenet1_1"])
def ten_classes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """An architecture and the file of a state dict of it that was fine-tuned to 10 classes."""
    folder = tmp_path_factory.mktemp("ten")
    return request.param, saved(folder, get_model(request.param, weights=None, num_classes=10).state_dict())


def test_fine_tuned_weights_get_a_classifier_of_their_size(ten_classes: tuple[str, str]) -> None:
    model = load_model(*ten_classes)
    assert model.labels == tuple(f"class {number}" for number in range(10))
    with torch.inference_mode():
        assert model.network(torch.zeros(2, 3, 64, 64)).shape == (2, 10)


def test_fine_tuned_weights_take_labels_of_their_own(ten_classes: tuple[str, str], tmp_path: Path) -> None:
    labels = [f"café {number}" for number in range(10)]
    (tmp_path / "labels.txt").write_text("\n".join([*labels[:5], "", *labels[5:], ""]), encoding="utf-8")
    assert load_model(*ten_classes, labels=str(tmp_path / "labels.txt")).labels == tuple(labels)


@pytest.mark.parametrize("count", [0, 9, 11])
def test_labels_of_another_number_are_refused(
    ten_classes: tuple[str, str], count: int, tmp_path: Path
) -> None:
    (tmp_path / "labels.txt").write_text("one\n" * count)
    with pytest.raises(ModelError, match=rf"labels\.txt: {count} lines, the classifier has 10 classes"):
        load_model(*ten_classes, labels=str(tmp_path / "labels.txt"))


def test_labels_that_cannot_be_read_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ModelError, match=r"labels .*none\.txt: .*No such file"):
        load_model(SMALL, "random", labels=str(tmp_path / "none.txt"))
    (tmp_path / "latin.txt").write_bytes("café".encode("latin-1"))
    with pytest.raises(ModelError, match=r"labels .*latin\.txt: .*utf-8"):
        load_model(SMALL, "random", labels=str(tmp_path / "latin.txt"))


# --- the fingerprint --------------------------------------------------------------------------------------------------


def fingerprint_of(model: Model, **changes: object) -> bytes:
    fields = {"name": model.name, "network": model.network, "recipe": model.recipe} | changes
    return models._fingerprint(**fields)


def test_a_fingerprint_has_the_length_of_its_field(small: Model) -> None:
    assert len(small.fingerprint) == FINGERPRINT_BYTES
    assert fingerprint_of(small) == small.fingerprint


def test_a_fingerprint_stays_what_it_was() -> None:
    """Two machines of different age must agree: a change here needs a new wire version."""
    network = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    for index, value in enumerate(network.state_dict().values()):
        value.copy_(torch.arange(value.numel()).reshape(value.shape) + index)
    recipe = replace(load_model(SMALL, "random").recipe, mean=(0.5, 0.25, 0.125), std=(1.0, 2.0, 4.0))
    said = "Preprocessing(resize=256, crop=224, mean=(0.5, 0.25, 0.125), std=(1.0, 2.0, 4.0), interpolation='bilinear')"
    parts = {
        "0.bias float32 (3,)": [1, 2, 3],
        "0.weight float32 (3, 2)": [0, 1, 2, 3, 4, 5],
        "1.bias float32 (3,)": [3, 4, 5],
        "1.running_mean float32 (3,)": [4, 5, 6],
        "1.running_var float32 (3,)": [5, 6, 7],
        "1.weight float32 (3,)": [2, 3, 4],
    }
    digest = hashlib.sha256(f"net\n{said}\n".encode())
    for line, values in parts.items():
        digest.update(
            f"{line.replace('float32', 'torch.float32')}\n".encode() + np.array(values, "<f4").tobytes()
        )
    assert models._fingerprint("net", network, recipe) == digest.digest()[:8]


def test_another_architecture_has_another_fingerprint(small: Model) -> None:
    assert fingerprint_of(small, name="resnet50") != small.fingerprint


@pytest.mark.parametrize(
    "change",
    [
        {"resize": 255}, {"crop": 225}, {"mean": (0.485, 0.456, 0.407)}, {"std": (0.5, 0.224, 0.225)},
        {"interpolation": "bicubic"},
    ],
    ids=str,
)  # fmt: skip
def test_another_recipe_has_another_fingerprint(small: Model, change: dict[str, object]) -> None:
    assert fingerprint_of(small, recipe=replace(small.recipe, **change)) != small.fingerprint


def test_the_smallest_change_of_any_weight_changes_the_fingerprint() -> None:
    model = load_model(SMALL, "random")
    seen = {model.fingerprint}
    weights = {name: value for name, value in model.network.state_dict().items() if "num_batches" not in name}
    for value in weights.values():
        last = value.view(-1)[-1:]
        last.copy_(torch.nextafter(last, last + 1))
        seen.add(fingerprint_of(model))
    assert len(seen) == len(weights) + 1


def test_a_counter_that_inference_does_not_use_does_not_change_the_fingerprint() -> None:
    model = load_model(SMALL, "random")
    counters = [value for name, value in model.network.state_dict().items() if "num_batches" in name]
    assert counters
    for value in counters:
        value.add_(5)
    assert fingerprint_of(model) == model.fingerprint


def test_the_same_weights_have_the_same_fingerprint_wherever_they_come_from(
    small: Model, tmp_path: Path
) -> None:
    assert load_model(SMALL, saved(tmp_path, small.network.state_dict())).fingerprint == small.fingerprint


def test_a_file_with_another_recipe_has_another_fingerprint(tmp_path: Path) -> None:
    state = get_model("mobilenet_v2", weights=None).state_dict()
    first, second = (
        load_model("mobilenet_v2", saved(tmp_path, state, Path(member.url).name))
        for member in get_model_weights("mobilenet_v2")
    )
    assert first.recipe != second.recipe
    assert first.fingerprint != second.fingerprint


def test_a_densenet_saved_under_the_old_names_fits(tmp_path: Path) -> None:
    state = load_model("densenet121", "random").network.state_dict()
    old = {
        re.sub(r"(denselayer\d+\.(?:norm|conv))(\d)", r"\1.\2", name): value for name, value in state.items()
    }
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    torch.save(old, tmp_path / "densenet.pth")
    assert (
        load_model("densenet121", str(tmp_path / "densenet.pth")).fingerprint
        == load_model("densenet121", "random").fingerprint
    )


def test_a_vision_transformer_saved_under_the_old_names_fits(tmp_path: Path) -> None:
    model = load_model("vit_b_32", "random")
    places = {"mlp.0": "mlp.linear_1", "mlp.3": "mlp.linear_2"}
    old = {
        re.sub(r"mlp\.[03]", lambda found: places[found[0]], name): value
        for name, value in model.network.state_dict().items()
    }
    assert "encoder.layers.encoder_layer_0.mlp.linear_1.weight" in old
    assert load_model("vit_b_32", saved(tmp_path, old)).fingerprint == model.fingerprint


def test_a_vision_transformer_is_built_for_the_size_of_its_weights() -> None:
    class Recipe:
        meta: ClassVar = {"categories": None}

    network = models._build("vit_b_32", Weights("of another size", Recipe, None), 64)
    assert network(torch.zeros(1, 3, 64, 64)).shape == (1, 1000)
