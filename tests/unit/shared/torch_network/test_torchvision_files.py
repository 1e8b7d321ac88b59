"""Models from files of weights: every kind of network, saved under old names, fine-tuned to classes of one's own."""

from __future__ import annotations

import itertools
import re
from functools import cache
from typing import TYPE_CHECKING

import pytest
import torch
from kits.naming import naming
from kits.weights import same, saved

from shared.errors import ModelError
from shared.network.choice import NetworkChoice
from shared.torch_network import torchvision
from shared.torch_network.recipes import from_preset
from shared.torch_network.source import build
from shared.torch_network.vision import get_model, get_model_weights, list_models

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from shared.torch_network.network import TorchNetwork

pytestmark = pytest.mark.slow  # processes, networks or compilations

SMALL = "shufflenet_v2_x0_5"  # 5 MB, with batch normalisation


@cache
def random_model(name: str) -> TorchNetwork:
    """Built once: leave it as it is."""
    return build(NetworkChoice(name, "random"))


@pytest.fixture(scope="module", autouse=True)
def _forget() -> Iterator[None]:
    yield
    random_model.cache_clear()


@pytest.fixture(scope="module")
def small() -> TorchNetwork:
    return random_model(SMALL)


def test_a_resnet18_comes_back_from_its_file(tmp_path: Path) -> None:
    network = get_model("resnet18", weights=None).eval()
    loaded = build(NetworkChoice("resnet18", saved(tmp_path, network.state_dict())))
    assert loaded.weights == "file:mine.pth"
    assert same(loaded.module, network)
    picture = torch.rand(1, 3, 64, 64)
    with torch.inference_mode():
        assert torch.equal(loaded.module(picture), network(picture))


def test_a_file_of_float16_gives_a_float32_model(small: TorchNetwork, tmp_path: Path) -> None:
    state = {
        name: value.half() if value.is_floating_point() else value
        for name, value in small.module.state_dict().items()
    }
    loaded = build(NetworkChoice(SMALL, saved(tmp_path, state)))
    assert {parameter.dtype for parameter in loaded.module.parameters()} == {torch.float32}
    assert all(
        torch.equal(value, state[name].to(value.dtype)) for name, value in loaded.module.state_dict().items()
    )


# Those whose constructors compute with tensors (RegNet, Swin) or that look at how they are loaded (MNASNet, ViT).
@pytest.mark.parametrize("name", ["mnasnet0_5", "regnet_x_400mf", "swin_t", "convnext_tiny", "vit_b_32"])
def test_every_kind_of_network_comes_back_from_its_file(name: str, tmp_path: Path) -> None:
    model = random_model(name)
    loaded = build(NetworkChoice(name, saved(tmp_path, model.module.state_dict())))
    assert loaded.fingerprint == model.fingerprint
    assert not any(parameter.requires_grad for parameter in loaded.module.parameters())
    picture = torch.rand(1, *model.recipe.tensor_shape)
    with torch.inference_mode():
        assert torch.equal(loaded.module(picture), model.module(picture))


def test_weights_bring_all_that_a_network_is_built_without() -> None:
    for name in list_models(module=torchvision.torchvision.models):
        with naming(name):
            recipe = from_preset(next(iter(get_model_weights(name))).transforms())
            arguments = torchvision._arguments(name, recipe, is_own=False)
            with torchvision._WithoutValues():
                network = get_model(name, weights=None, **arguments)
            tensors = dict(itertools.chain(network.named_parameters(), network.named_buffers()))
            without = {key for key, tensor in tensors.items() if tensor.is_meta}
            assert without
            assert without <= network.state_dict().keys()
            left = sum(tensor.nbytes for key, tensor in tensors.items() if key not in without)
            assert left < 0.05 * sum(tensor.nbytes for tensor in tensors.values())


def test_a_file_of_another_architecture_is_refused_with_the_differences(
    small: TorchNetwork, tmp_path: Path
) -> None:
    path = saved(tmp_path, small.module.state_dict())
    with pytest.raises(ModelError) as refusal:
        build(NetworkChoice("squeezenet1_1", path))
    message = str(refusal.value)
    assert message.startswith("weights file:mine.pth do not fit squeezenet1_1: 52 parameters missing, ")
    assert "first: features.0.weight; conv1.0.weight" in message


def test_a_file_with_nan_is_refused(small: TorchNetwork, tmp_path: Path) -> None:
    state = {name: value.clone() for name, value in small.module.state_dict().items()}
    state["conv5.0.weight"][3, 4] = float("nan")
    with pytest.raises(ModelError, match=f"do not fit {SMALL}: some weights are NaN or infinite"):
        build(NetworkChoice(SMALL, saved(tmp_path, state)))


@pytest.fixture(scope="module", params=[SMALL, "squeezenet1_1"])
def ten_classes(request: pytest.FixtureRequest, tmp_path_factory: pytest.TempPathFactory) -> tuple[str, str]:
    """An architecture and the file of a state dict of it that was fine-tuned to 10 classes."""
    folder = tmp_path_factory.mktemp("ten")
    return request.param, saved(folder, get_model(request.param, weights=None, num_classes=10).state_dict())


def test_fine_tuned_weights_get_a_classifier_of_their_size(ten_classes: tuple[str, str]) -> None:
    model = build(NetworkChoice(*ten_classes))
    assert model.labels == tuple(f"class {number}" for number in range(10))
    with torch.inference_mode():
        assert model.module(torch.zeros(2, 3, 64, 64)).shape == (2, 10)


def test_fine_tuned_weights_take_labels_of_their_own(ten_classes: tuple[str, str], tmp_path: Path) -> None:
    labels = [f"café {number}" for number in range(10)]
    (tmp_path / "labels.txt").write_text("\n".join([*labels[:5], "", *labels[5:], ""]), encoding="utf-8")
    assert build(NetworkChoice(*ten_classes, labels=str(tmp_path / "labels.txt"))).labels == tuple(labels)


def test_labels_of_another_number_are_refused(ten_classes: tuple[str, str], tmp_path: Path) -> None:
    for count in (1, 9, 11):
        (tmp_path / "labels.txt").write_text("one\n" * count)
        refused = rf"labels\.txt: it has {count} names, and the network has 10 classes"
        with naming(count), pytest.raises(ModelError, match=refused):
            build(NetworkChoice(*ten_classes, labels=str(tmp_path / "labels.txt")))


def test_a_densenet_saved_under_the_old_names_fits(tmp_path: Path) -> None:
    model = random_model("densenet121")
    old = {
        re.sub(r"(denselayer\d+\.(?:norm|conv))(\d)", r"\1.\2", name): value
        for name, value in model.module.state_dict().items()
    }
    assert "features.denseblock1.denselayer1.norm.1.weight" in old
    torch.save(old, tmp_path / "densenet.pth")
    assert (
        build(NetworkChoice("densenet121", str(tmp_path / "densenet.pth"))).fingerprint == model.fingerprint
    )


def test_a_vision_transformer_saved_under_the_old_names_fits(tmp_path: Path) -> None:
    model = random_model("vit_b_32")
    places = {"mlp.0": "mlp.linear_1", "mlp.3": "mlp.linear_2"}
    old = {
        re.sub(r"mlp\.[03]", lambda found: places[found[0]], name): value
        for name, value in model.module.state_dict().items()
    }
    assert "encoder.layers.encoder_layer_0.mlp.linear_1.weight" in old
    assert build(NetworkChoice("vit_b_32", saved(tmp_path, old))).fingerprint == model.fingerprint
