"""Fitting a state dict to a network: its tensors are taken over, and every difference is named."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from kits.naming import naming

from shared.errors import ModelError
from shared.torch_network.weights.fit import fit

if TYPE_CHECKING:
    from collections.abc import Callable


def network() -> torch.nn.Module:
    return torch.nn.Sequential(torch.nn.Linear(2, 3), torch.nn.BatchNorm1d(3))


def test_a_state_that_fits_is_loaded() -> None:
    state = {name: value + 1 for name, value in network().state_dict().items()}
    target = network()
    fit(target, state, "w")
    assert all(torch.equal(value, state[name]) for name, value in target.state_dict().items())


def test_float16_on_disk_becomes_float32() -> None:
    state = {
        name: value.half() if value.is_floating_point() else value
        for name, value in network().state_dict().items()
    }
    target = network()
    fit(target, state, "w")
    assert target[0].weight.dtype == torch.float32
    assert torch.equal(target[0].weight, state["0.weight"].float())


def test_values_are_taken_over_where_they_can_be_and_converted_in_place_where_not() -> None:
    """Never both at once: a network would lie in memory twice."""
    state = network().state_dict()
    kept, halved = state["0.weight"], state["0.bias"].half()
    state["0.bias"] = halved
    target = network()
    fit(target, state, "w")
    assert target[0].weight.data_ptr() == kept.data_ptr()
    assert state["0.bias"].dtype == torch.float32
    assert target[0].bias.data_ptr() == state["0.bias"].data_ptr()
    assert torch.equal(target[0].bias, halved.float())


@pytest.mark.parametrize(
    "change",
    [
        lambda value: value.repeat(2, 1)[: len(value)],
        lambda value: value.repeat(1, 2)[:, : value.shape[1]],
        lambda value: value.t().contiguous().t(),
        torch.Tensor.double,
        torch.nn.Parameter,
    ],
    ids=["part of a larger one", "with gaps", "transposed", "of another type", "that is trained"],
)
def test_a_network_keeps_of_a_tensor_only_what_it_needs(
    change: Callable[[torch.Tensor], torch.Tensor],
) -> None:
    state = network().state_dict()
    before = state["0.weight"].clone()
    state["0.weight"] = change(state["0.weight"])
    target = network().requires_grad_(requires_grad=False)
    fit(target, state, "w")
    weight = target[0].weight
    assert torch.equal(weight, before)
    assert weight.is_contiguous()
    assert weight.untyped_storage().nbytes() == weight.nbytes
    assert not weight.requires_grad


def test_a_buffer_stays_a_buffer_whatever_it_was_saved_as() -> None:
    state = network().state_dict()
    state["1.running_var"] = torch.nn.Parameter(state["1.running_var"])
    target = network()
    fit(target, state, "w")
    assert "1.running_var" in dict(target.named_buffers())
    assert not target[1].running_var.requires_grad


def test_a_network_without_values_gets_all_of_them() -> None:
    with torch.device("meta"):
        target = network()
    fit(target, network().state_dict(), "w")
    assert {value.device.type for value in target.state_dict().values()} == {"cpu"}


def test_a_state_without_batch_counters_fits() -> None:
    state = {name: value for name, value in network().state_dict().items() if "num_batches" not in name}
    fit(network(), state, "w")


def test_every_kind_of_difference_is_counted_and_the_first_named() -> None:
    state = network().state_dict()
    del state["1.running_var"]
    state["0.weigth"] = state.pop("0.weight")
    state["0.bias"] = torch.zeros(4)
    target = network()
    before = {name: value.clone() for name, value in target.state_dict().items()}
    with pytest.raises(ModelError) as refusal:
        fit(target, state, "weights file:w.pth do not fit net")
    assert str(refusal.value) == (
        "weights file:w.pth do not fit net: 2 parameters missing, 1 unknown, 1 of another shape; "
        "first: 0.weight; 0.weigth; 0.bias is (4,), not (3,)"
    )
    assert all(torch.equal(value, before[name]) for name, value in target.state_dict().items())


def test_weights_that_are_not_finite_are_refused() -> None:
    for name in ("0.weight", "1.running_var"):
        for value in (float("nan"), float("inf"), -float("inf")):
            state = {key: tensor.clone() for key, tensor in network().state_dict().items()}
            state[name].view(-1)[-1] = value
            with naming(name, value), pytest.raises(ModelError, match="w: some weights are NaN or infinite"):
                fit(network(), state, "w")


def test_a_tensor_without_elements_is_finite() -> None:
    target = torch.nn.Module()
    target.register_buffer("nothing", torch.zeros(0))
    fit(target, {"nothing": torch.zeros(0)}, "w")
