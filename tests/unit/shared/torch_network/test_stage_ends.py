"""The stage ends of networks that people know, found in their graphs."""

from __future__ import annotations

import pytest

from shared.network.choice import NetworkChoice
from shared.network.stage_ends import stage_ends
from shared.torch_network.partition import TorchPartition
from shared.torch_network.source import build


@pytest.mark.parametrize(
    ("name", "want"),
    [
        ("resnet50", ["maxpool", "layer1", "layer2", "layer3", "avgpool"]),
        ("mobilenet_v2", ["features.1", "features.3", "features.6", "features.10", "features.13", "features.16",
                          "adaptive_avg_pool2d"]),
    ],
)  # fmt: skip
def test_known_networks_have_the_stages_that_people_know(name: str, want: list[str]) -> None:
    network = build(NetworkChoice(name, "random"))
    points = TorchPartition(network.module, network.recipe.tensor_shape).points
    assert [point.name for point in stage_ends(points.values())] == want
