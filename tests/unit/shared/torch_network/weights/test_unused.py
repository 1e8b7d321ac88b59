"""Parts of a network that its answer does not need may be missing from a file; parts that it has not may be there."""

from __future__ import annotations

import pytest
import torch
from kits.naming import naming
from torch import nn

from shared.errors import ModelError
from shared.torch_network.weights.fit import fit

SHAPE = (3, 8, 8)


class Auxiliary(nn.Module):
    """A classifier with a head that only training uses, as Inception and GoogLeNet have."""

    def __init__(self, classes: int = 4) -> None:
        super().__init__()
        self.body = nn.Sequential(nn.Conv2d(3, 4, 3), nn.BatchNorm2d(4))
        self.auxiliary = nn.Linear(4, classes)
        self.head = nn.Linear(4, classes)

    def forward(self, picture: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, torch.Tensor]:
        pooled = self.body(picture).mean((2, 3))
        return (self.head(pooled), self.auxiliary(pooled)) if self.training else self.head(pooled)


def state() -> dict[str, torch.Tensor]:
    return {name: value + 0.5 for name, value in Auxiliary().state_dict().items()}


def test_a_head_for_training_may_be_missing_or_differ() -> None:
    missing = {name: value for name, value in state().items() if not name.startswith("auxiliary")}
    other = {**state(), "auxiliary.weight": torch.zeros(9, 4), "auxiliary.bias": torch.zeros(9)}
    for given in (missing, other):
        network = Auxiliary()
        notes = fit(network, dict(given), "w", input_shape=SHAPE)
        with naming(sorted(given)):
            assert notes == ("auxiliary: not in the file or of another shape, and not needed for an answer",)
            assert torch.equal(network.head.weight, given["head.weight"])
            assert not network.auxiliary.weight.any()
            assert network.training


def test_what_the_answer_needs_may_not_be_missing() -> None:
    for name in ("head.bias", "body.1.running_var", "body.0.weight"):
        given = state()
        del given[name]
        with naming(name), pytest.raises(ModelError, match=f"^w: 1 parameters missing, .*; first: {name}$"):
            fit(Auxiliary(), given, "w", input_shape=SHAPE)


def test_a_part_that_the_network_has_not_is_left_out_and_said() -> None:
    given = {**state(), "aux_classifier.4.weight": torch.zeros(2), "criterion.weight": torch.zeros(1)}
    assert fit(Auxiliary(), given, "w", input_shape=SHAPE) == (
        "aux_classifier, criterion: in the file, but not in the network; left out",
    )


def test_more_layers_in_a_part_that_it_has_are_another_network() -> None:
    given = {**state(), "body.2.weight": torch.zeros(2)}
    with pytest.raises(ModelError, match=r"^w: 0 parameters missing, 1 unknown, .*; first: body\.2\.weight$"):
        fit(Auxiliary(), given, "w", input_shape=SHAPE)


def test_a_tensor_of_two_names_may_be_saved_under_one() -> None:
    class Tied(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.first, self.second = nn.Linear(2, 2), nn.Linear(2, 2)
            self.second.weight = self.first.weight

    given = {name: value for name, value in Tied().state_dict().items() if name != "second.weight"}
    network = Tied()
    assert fit(network, dict(given), "w") == ()
    assert torch.equal(network.second.weight, given["first.weight"])


def test_what_a_constructor_counts_out_may_be_missing() -> None:
    class Table(nn.Module):
        def __init__(self) -> None:
            super().__init__()
            self.scale = nn.Parameter(torch.ones(2))
            self.register_buffer("index", torch.arange(3))

    network = Table()
    assert fit(network, {"scale": torch.zeros(2)}, "w") == ()
    assert network.index.tolist() == [0, 1, 2]


def test_tensors_that_no_network_can_use_are_refused() -> None:
    for odd in (torch.eye(4).to_sparse(), torch.empty(4, 4, device="meta")):
        with (
            naming(odd.layout),
            pytest.raises(ModelError, match=r"^w: head\.weight is sparse, quantised, nested or"),
        ):
            fit(Auxiliary(), {**state(), "head.weight": odd}, "w")
