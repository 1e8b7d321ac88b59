"""The fingerprint: the same for the same network, another for the smallest difference, and never computed otherwise."""

from __future__ import annotations

import hashlib
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import pytest
import torch
from kits.naming import naming
from kits.weights import saved

from shared.limits import FINGERPRINT_BYTES
from shared.network.choice import NetworkChoice
from shared.torch_network import torchvision
from shared.torch_network.source import build
from shared.torch_network.vision import get_model, get_model_weights

if TYPE_CHECKING:
    from shared.torch_network.network import TorchNetwork

SMALL = "shufflenet_v2_x0_5"  # 5 MB, with batch normalisation


@pytest.fixture(scope="module")
def small() -> TorchNetwork:
    return build(NetworkChoice(SMALL, "random"))


def fingerprint_of(model: TorchNetwork, **changes: object) -> bytes:
    fields = {"name": model.name, "network": model.module, "recipe": model.recipe} | changes
    return torchvision._fingerprint(**fields)


def test_a_fingerprint_has_the_length_of_its_field(small: TorchNetwork) -> None:
    assert len(small.fingerprint) == FINGERPRINT_BYTES
    assert fingerprint_of(small) == small.fingerprint


def test_a_fingerprint_stays_what_it_was() -> None:
    """Two machines of different age must agree: a change here needs a new wire version."""
    network = torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))
    for index, value in enumerate(network.state_dict().values()):
        value.copy_(torch.arange(value.numel()).reshape(value.shape) + index)
    recipe = replace(
        build(NetworkChoice(SMALL, "random")).recipe, mean=(0.5, 0.25, 0.125), std=(1.0, 2.0, 4.0)
    )
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
    assert torchvision._fingerprint("net", network, recipe) == digest.digest()[:8]


def test_another_architecture_has_another_fingerprint(small: TorchNetwork) -> None:
    assert fingerprint_of(small, name="resnet50") != small.fingerprint


def test_another_recipe_has_another_fingerprint(small: TorchNetwork) -> None:
    for change in (
        {"resize": 255},
        {"width": 225},
        {"mean": (0.485, 0.456, 0.407)},
        {"std": (0.5, 0.224, 0.225)},
        {"interpolation": "bicubic"},
    ):
        with naming(change):
            assert fingerprint_of(small, recipe=replace(small.recipe, **change)) != small.fingerprint


def test_the_smallest_change_of_any_weight_changes_the_fingerprint() -> None:
    model = build(NetworkChoice(SMALL, "random"))
    seen = {model.fingerprint}
    weights = {name: value for name, value in model.module.state_dict().items() if "num_batches" not in name}
    for value in weights.values():
        last = value.view(-1)[-1:]
        last.copy_(torch.nextafter(last, last + 1))
        seen.add(fingerprint_of(model))
    assert len(seen) == len(weights) + 1


def test_a_counter_that_inference_does_not_use_does_not_change_the_fingerprint() -> None:
    model = build(NetworkChoice(SMALL, "random"))
    counters = [value for name, value in model.module.state_dict().items() if "num_batches" in name]
    assert counters
    for value in counters:
        value.add_(5)
    assert fingerprint_of(model) == model.fingerprint


def test_the_same_weights_have_the_same_fingerprint_wherever_they_come_from(
    small: TorchNetwork, tmp_path: Path
) -> None:
    assert (
        build(NetworkChoice(SMALL, saved(tmp_path, small.module.state_dict()))).fingerprint
        == small.fingerprint
    )


def test_weights_for_another_recipe_have_another_fingerprint(small: TorchNetwork) -> None:
    assert build(NetworkChoice(SMALL, "random", recipe="resize=232")).fingerprint != small.fingerprint


def test_a_file_has_the_same_fingerprint_by_every_name(tmp_path: Path) -> None:
    state = get_model("mobilenet_v2", weights=None).state_dict()
    names = ["mine.pth", *(Path(member.url).name for member in get_model_weights("mobilenet_v2"))]
    found = [build(NetworkChoice("mobilenet_v2", saved(tmp_path, state, name))) for name in names]
    assert len({network.fingerprint for network in found}) == 1
    assert len({network.recipe for network in found}) == 1
