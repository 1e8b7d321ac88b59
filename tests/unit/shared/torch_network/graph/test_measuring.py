"""The work before and after a cut is what torch's own counter counts."""

from __future__ import annotations

import pytest
import torch
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from shared.network.choice import NetworkChoice
from shared.network.partition import OUTPUT
from shared.torch_network.partition import TorchPartition
from shared.torch_network.source import build

SMALL_PICTURE = (3, 64, 64)


def macs_by_torch(part: torch.nn.Module, shape: tuple[int, ...]) -> int:
    """Multiply-accumulates for one picture, with the attention kernels that torch can count."""
    torch.backends.mha.set_fastpath_enabled(False)
    try:
        with FlopCounterMode(display=False) as counter, torch.no_grad(), sdpa_kernel(SDPBackend.MATH):
            part(torch.zeros(1, *shape))
    finally:
        torch.backends.mha.set_fastpath_enabled(True)
    return counter.get_total_flops() // 2


@pytest.mark.parametrize(
    ("name", "shape"),
    [
        ("alexnet", SMALL_PICTURE),
        ("densenet121", SMALL_PICTURE),
        ("efficientnet_b0", SMALL_PICTURE),
        ("mnasnet0_5", SMALL_PICTURE),
        ("regnet_y_400mf", SMALL_PICTURE),
        ("resnet50", SMALL_PICTURE),
        ("shufflenet_v2_x0_5", SMALL_PICTURE),
        ("swin_t", SMALL_PICTURE),
        ("vit_b_32", (3, 224, 224)),
    ],
)
def test_the_work_is_what_torch_counts(name: str, shape: tuple[int, ...]) -> None:
    network = build(NetworkChoice(name, "random")).module
    partition = TorchPartition(network, shape)
    total = partition.points[OUTPUT].head_macs
    assert total == macs_by_torch(network, shape) > 1_000_000
    for point in list(partition.points.values())[:: len(partition.points) // 4]:
        assert point.head_macs == macs_by_torch(partition.head(point), shape), point.name
        assert point.tail_macs == macs_by_torch(partition.tail(point), point.shape), point.name
