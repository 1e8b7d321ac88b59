"""PyTorch as an engine: precisions, sharing of parameters, threads."""

from __future__ import annotations

import copy

import pytest
import torch
from kits.edge import partition_of, tiny_model
from kits.engines import Unconvertible, by_torch, error, given_to, middle, mixed_model

from shared.engines import TorchEngine
from shared.engines.base import TOLERANCES
from shared.errors import EngineError
from shared.network.partition import OUTPUT, Partition


@pytest.mark.parametrize("precision", ["bfloat16", "float16"])
def test_another_precision_leaves_the_networks_own_parameters_alone(precision: str) -> None:
    network = mixed_model().network
    before = copy.deepcopy(network.state_dict())
    places = {name: value.data_ptr() for name, value in network.state_dict().items()}
    engine = TorchEngine(partition_of(mixed_model()), precision=precision)
    halves = [
        half(point)
        for point in partition_of(mixed_model()).points.values()
        for half in (engine.head, engine.tail)
    ]
    assert len(halves) > 10
    after = network.state_dict()
    assert {name: value.data_ptr() for name, value in after.items()} == places
    for name, value in before.items():
        assert after[name].dtype == value.dtype, name
        assert torch.equal(after[name], value), name
    tensors = given_to("head", middle(), 2)
    plain = TorchEngine(partition_of(mixed_model())).head(middle())(tensors)
    assert error(plain, by_torch("head", middle(), tensors)) < 1e-6
    short = engine.head(middle())(tensors)
    assert 1e-5 < error(short, plain) < TOLERANCES[precision]  # it did compute in fewer digits


def test_in_float32_the_halves_are_the_networks_own_modules(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.engines.torch_engine.copy.deepcopy", lambda _: pytest.fail("copied"))
    engine = TorchEngine(partition_of(mixed_model()))
    for point in partition_of(mixed_model()).points.values():
        engine.head(point)
        engine.tail(point)


def test_threads_are_set_only_if_they_are_given() -> None:
    torch.set_num_threads(2)
    assert TorchEngine(partition_of(tiny_model())).threads == torch.get_num_threads() == 2
    assert TorchEngine(partition_of(tiny_model()), threads=1).threads == torch.get_num_threads() == 1


def test_a_half_that_torch_cannot_run_is_an_engine_error() -> None:
    partition = Partition(Unconvertible().eval(), (3, 8, 8))
    TorchEngine(partition).require("head", partition.point(OUTPUT))
    with pytest.raises(EngineError, match="torch in bfloat16 on cpu cannot run the head at output: "):
        TorchEngine(partition, precision="bfloat16").require("head", partition.point(OUTPUT))
