"""Inception and GoogLeNet: published weights want their input rescaled, one's own are not given that unasked."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from kits.naming import naming
from kits.weights import saved

from shared.network.choice import NetworkChoice
from shared.torch_network.source import build
from shared.torch_network.vision import get_model

if TYPE_CHECKING:
    from pathlib import Path

pytestmark = pytest.mark.slow  # networks of 100 MB

NAMES = ("googlenet", "inception_v3")


def test_published_weights_have_their_input_rescaled() -> None:
    for name in NAMES:
        with naming(name):
            network = build(NetworkChoice(name, "random", recipe="size=80"))
            assert network.module.transform_input is True
            assert not [note for note in network.notes if "transform" in note]


@pytest.fixture(scope="module")
def own(tmp_path_factory: pytest.TempPathFactory) -> dict[str, str]:
    """Files of networks of ten classes that were trained without; the heads that only training uses are missing."""
    files = {}
    for name in NAMES:
        torch.manual_seed(0)
        state = get_model(name, weights=None, num_classes=10, init_weights=False).state_dict()
        state = {key: value for key, value in state.items() if not key.lower().startswith("aux")}
        files[name] = saved(tmp_path_factory.mktemp(name), state)
    return files


def test_own_weights_are_taken_as_they_were_trained_and_that_is_said(own: dict[str, str]) -> None:
    for name, file in own.items():
        network = build(NetworkChoice(name, file))
        with naming(name):
            assert network.module.transform_input is False
            assert network.recipe.mean == (0.485, 0.456, 0.406)
            assert len(network.labels) == 10
            (hint,) = [note for note in network.notes if "transform_input" in note]
            assert "--recipe mean=0.5,std=0.5" in hint
            (unused,) = [note for note in network.notes if "not needed for an answer" in note]
            assert "ux" in unused


def test_the_recipe_that_is_hinted_at_does_what_the_module_would(own: dict[str, str]) -> None:
    name = "googlenet"
    plain = build(NetworkChoice(name, own[name]))
    hinted = build(NetworkChoice(name, own[name], recipe="mean=0.5,std=0.5"))
    pictures = torch.randint(0, 256, (2, 80, 80, 3), dtype=torch.uint8).numpy()
    tensors = [
        torch.stack([torch.from_numpy(each.recipe.normalise(picture)) for picture in pictures])
        for each in (plain, hinted)
    ]
    plain.module.transform_input = True
    with torch.no_grad():
        torch.testing.assert_close(plain.module(tensors[0]), hinted.module(tensors[1]), rtol=1e-4, atol=1e-5)
    assert not [note for note in hinted.notes if "transform_input" in note]


def test_the_same_tensors_with_and_without_rescaling_have_two_fingerprints(tmp_path: Path) -> None:
    network = build(NetworkChoice("googlenet", "random"))
    same = build(NetworkChoice("googlenet", saved(tmp_path, network.module.state_dict())))
    assert same.recipe == network.recipe
    assert same.fingerprint != network.fingerprint
