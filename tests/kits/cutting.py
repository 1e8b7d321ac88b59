"""What holds for a module at each of its split points."""

from __future__ import annotations

from typing import TYPE_CHECKING

import torch
from kits.naming import naming

from shared.torch_network.graph.outputs import flatten
from shared.torch_network.partition import TorchPartition

if TYPE_CHECKING:
    from torch import nn

SHAPE = (3, 12, 16)


def cut_everywhere(module: nn.Module, shape: tuple[int, ...] = SHAPE) -> TorchPartition:
    """Head and tail, for batches of other sizes than it was traced with, give what the module gives, and write into nothing."""
    torch.manual_seed(0)
    partition = TorchPartition(module.eval(), shape)
    with torch.no_grad():
        for batch in (1, 5):
            pictures = torch.randn(batch, *shape)
            wanted = [value.float() for value in flatten(module(pictures), torch.Tensor).values()]
            before = pictures.clone()
            for point in list(partition.points.values())[:-1]:
                crossing = partition.head(point)(pictures)
                with naming(point.name, batch):
                    assert [tuple(each.shape) for each in crossing] == [
                        (batch, *shape) for shape in point.shapes
                    ]
                    kept = crossing[0].clone()
                    found = partition.tail(point)(*crossing)
                    assert torch.equal(crossing[0], kept)
                    assert torch.equal(pictures, before)
                    assert len(found) == len(wanted)
                    for one, other in zip(found, wanted, strict=True):
                        torch.testing.assert_close(one, other, rtol=1e-4, atol=1e-5)
            assert partition.tail(partition.ends[1])(*wanted) == tuple(wanted)
            crossings = partition.crossings()(pictures)
            assert len(crossings) == len(partition.points) - 1 + len(wanted)
    return partition
