"""Which tensors of a file are a network's: trainers wrap, prefix and double them."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from kits.naming import naming

from shared.errors import ModelError
from shared.torch_network.weights.checkpoint import Checkpoint

NAMES = ("conv.weight", "bn.running_mean", "head.weight")


def state(prefix: str = "", value: float = 0) -> dict[str, torch.Tensor]:
    return {prefix + name: torch.full((1,), value) for name in NAMES}


def checkpoint(key: str | None = None, **states: dict[str, torch.Tensor]) -> Checkpoint:
    return Checkpoint(Path("best.pth"), states, key)


def test_a_plain_state_dict_is_taken_as_it_is_and_without_a_word() -> None:
    found, notes = checkpoint(**{"": state()}).state_for(NAMES)
    assert tuple(found) == NAMES
    assert notes == ()


def test_prefixes_are_taken_away_and_said() -> None:
    for prefix in ("module.", "model.", "_orig_mod.", "backbone.", "module._orig_mod.", "ema.module."):
        found, notes = checkpoint(**{"": state(prefix)}).state_for(NAMES)
        with naming(prefix):
            assert tuple(found) == NAMES
            assert notes == (f"weights best.pth: without the prefix {prefix!r}",)


def test_a_prefix_that_the_network_has_and_the_file_has_not_is_added() -> None:
    found, notes = checkpoint(**{"": state()}).state_for([f"inner.{name}" for name in NAMES])
    assert tuple(found) == tuple(f"inner.{name}" for name in NAMES)
    assert notes == ("weights best.pth: for the network's 'inner.'",)


def test_what_lies_beside_the_prefixed_names_is_left_out_and_counted() -> None:
    tensors = {**state("model."), "criterion.weight": torch.zeros(1), "teacher.conv.weight": torch.zeros(1)}
    found, notes = checkpoint(**{"": tensors}).state_for(NAMES)
    assert tuple(found) == NAMES
    assert notes == ("weights best.pth: without the prefix 'model.'; 2 others left out",)


def test_the_average_of_training_is_taken_only_if_that_is_said() -> None:
    states = {"model": state(), "model_ema": state("module.", 1)}
    found, notes = checkpoint(**states).state_for(NAMES)
    assert found["conv.weight"] == 0
    assert notes == (
        "weights best.pth: the state dict under 'model'; best.pth:model_ema would take 'model_ema'",
    )
    found, notes = checkpoint("model_ema", model_ema=states["model_ema"]).state_for(NAMES)
    assert found["conv.weight"] == 1
    assert notes == ("weights best.pth: without the prefix 'module.'",)


def test_an_average_that_is_alone_is_taken_and_said() -> None:
    found, notes = checkpoint(ema=state(value=1), optimizer={"lr": torch.zeros(1)}).state_for(NAMES)
    assert found["conv.weight"] == 1
    assert notes == ("weights best.pth: the state dict under 'ema'",)


def test_a_key_that_only_contains_these_letters_is_no_average() -> None:
    found, _ = checkpoint(schema=state(value=1), ema=state(value=2)).state_for(NAMES)
    assert found["conv.weight"] == 1


def test_of_several_the_usual_one_is_preferred() -> None:
    for usual in ("state_dict", "model_state_dict", "model", "net"):
        found, _ = checkpoint(best=state(value=1), **{usual: state(value=2)}).state_for(NAMES)
        with naming(usual):
            assert found["conv.weight"] == 2


def test_several_that_would_do_must_be_told_apart() -> None:
    with pytest.raises(ModelError) as refusal:
        checkpoint(first=state(), second=state()).state_for(NAMES)
    assert str(refusal.value) == (
        "weights best.pth: the network's weights are under 'first', 'second'; say which: best.pth:first"
    )


def test_the_one_that_fits_the_network_is_taken_whatever_its_name() -> None:
    found, notes = checkpoint(state_dict={"other.weight": torch.zeros(1)}, generator=state()).state_for(NAMES)
    assert tuple(found) == NAMES
    assert notes == ("weights best.pth: the state dict under 'generator'",)


def test_former_names_of_torchvision_are_translated_only_if_that_helps() -> None:
    former, present = "encoder.layer.mlp.linear_1.weight", "encoder.layer.mlp.0.weight"
    tensors = {former: torch.zeros(1)}
    assert list(checkpoint(**{"": tensors}).state_for([present])[0]) == [present]
    assert list(checkpoint(**{"": tensors}).state_for([former])[0]) == [former]


def test_batch_counters_decide_nothing() -> None:
    names = [*NAMES, "bn.num_batches_tracked"]
    found, notes = checkpoint(**{"": state("module.")}).state_for(names)
    assert tuple(found) == NAMES
    assert len(notes) == 1
