"""A small network that calibration tests share."""

from __future__ import annotations

import pytest

from shared.engines.torch_engine import TorchEngine
from shared.load import Network


@pytest.fixture(scope="session")
def tiny_network() -> Network:
    from shared.network.model import load_model
    from shared.network.partition import Partition

    model = load_model("squeezenet1_1", "random", seed=3)
    partition = Partition(model.network, model.recipe.tensor_shape)
    return Network(
        model, partition, partition.point("features.12.squeeze_activation"), TorchEngine(partition)
    )
