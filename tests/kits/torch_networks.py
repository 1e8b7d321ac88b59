"""The small network of `kits.bundles` as a torch module, with the same parameters."""

from __future__ import annotations

from functools import cache

import torch
from kits.bundles import CLASSES, SHAPES, Oracle, oracle

from shared.network.partition import INPUT
from shared.torch_network.partition import TorchPartition


class Tiny(torch.nn.Module):
    """torch.fx finds the bundle's points up to `pool`, and others after it."""

    def __init__(self, net: Oracle) -> None:
        super().__init__()
        self.conv = torch.nn.Conv2d(3, 6, 3, padding=1, bias=False)
        self.relu = torch.nn.ReLU(inplace=True)
        self.pool = torch.nn.AvgPool2d(2)
        self.between = torch.nn.Linear(6, 6, bias=False)
        self.last = torch.nn.Linear(6, CLASSES, bias=False)
        self.token = torch.nn.Parameter(torch.tensor(net.token))
        self.table = torch.nn.Parameter(torch.tensor(net.table))
        self.outputs = net.outputs
        for layer, values in ((self.conv, net.kernel), (self.between, net.mix.T), (self.last, net.last.T)):
            layer.weight.data = torch.tensor(values.copy())

    def forward(self, x: torch.Tensor) -> torch.Tensor | tuple[torch.Tensor, ...]:
        x = self.pool(self.relu(self.conv(x)))
        n = x.shape[0]
        x = torch.cat([self.token.expand(n, -1, -1), x.reshape(n, 6, 16).permute(0, 2, 1)], 1) + self.table
        x = x + torch.tanh(self.between(x))
        classes = self.last(x.mean(1))
        return classes if self.outputs == 1 else (classes, x.mean(2).relu())


class Unconvertible(torch.nn.Module):
    """Computes what torch in bfloat16 cannot."""

    def forward(self, tensor: torch.Tensor) -> torch.Tensor:
        return torch.linalg.svdvals(tensor.mean(1))


def module(seed: int = 5, outputs: int = 1) -> torch.nn.Module:
    return Tiny(oracle(seed, outputs)).eval().requires_grad_(requires_grad=False)


def partition(seed: int = 5, outputs: int = 1) -> TorchPartition:
    """One for all tests: leave it as it is."""
    return _partition(seed, outputs)


@cache
def _partition(seed: int, outputs: int) -> TorchPartition:
    return TorchPartition(module(seed, outputs), SHAPES[INPUT])
