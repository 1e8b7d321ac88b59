"""What a module's code may do and still be cut: each kind in a small network, whose halves equal the whole at every split point."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest
import torch
from kits.cutting import SHAPE, cut_everywhere
from kits.naming import naming
from torch import nn

from shared.errors import ModelError
from shared.torch_network.partition import TorchPartition

if TYPE_CHECKING:
    from collections.abc import Callable


class Network(nn.Module):
    """Two convolutions, and between them what the test is about."""

    def __init__(self, middle: Callable[[torch.Tensor], torch.Tensor] | nn.Module) -> None:
        super().__init__()
        self.first, self.second = nn.Conv2d(3, 4, 3, padding=1), nn.Conv2d(4, 2, 3, padding=1)
        self.middle = middle
        self.eval().requires_grad_(requires_grad=False)

    def forward(self, x: torch.Tensor, mask: torch.Tensor | None = None, *, scale: float = 1) -> torch.Tensor:
        x = self.middle(self.first(x))
        if mask is not None:
            x = x * mask
        return self.second(x) * scale


def permuted(x: torch.Tensor) -> torch.Tensor:
    batch, channels, height, width = x.shape
    rows = height * width
    return (
        x.flatten(2)
        .transpose(1, 2)
        .reshape(batch, rows, channels)
        .transpose(1, 2)
        .view(batch, channels, height, width)
    )


def windows(x: torch.Tensor) -> torch.Tensor:
    """Windows of 4 x 4 in the batch's dimension, as Swin has them, and back."""
    batch, channels, height, width = x.size()
    if height % 4 or width % 4:
        raise ValueError("pad it")
    cut = (
        x.view(batch, channels, height // 4, 4, width // 4, 4)
        .permute(0, 2, 4, 3, 5, 1)
        .reshape(-1, 16, channels)
    )
    cut = cut.softmax(1)
    there = (
        int(cut.shape[0] // (height // 4 * (width // 4))) if False else cut.shape[0] // (height * width // 16)
    )
    cut = cut.view(there, height // 4, width // 4, 4, 4, channels)
    return cut.permute(0, 5, 1, 3, 2, 4).reshape(-1, channels, height, width)


def written_into(x: torch.Tensor) -> torch.Tensor:
    x += 1
    x.mul_(2)
    y = torch.relu_(x)
    x[:, 0] = 0.5
    x[:, 1:2] *= 3
    return x + y


def unpacked(x: torch.Tensor) -> torch.Tensor:
    left, right = x.chunk(2, dim=1)
    parts = [part * len(parts) for part, parts in ((left, [1]), (right, [1, 2]))]
    return torch.cat([*parts][::-1], dim=1)


def looped(x: torch.Tensor) -> torch.Tensor:
    total = 0
    for part in x.split(1, dim=1):
        total = total + part
    for column in range(x.shape[-1] // 8):
        total = total + column
    return x + total if len(x.shape) == 4 else x


def made_for_the_batch(x: torch.Tensor) -> torch.Tensor:
    token = x.new_ones(x.shape[0], 1, x.shape[2], x.shape[3])
    positions = torch.arange(x.shape[-1], device=x.device, dtype=x.dtype)
    return torch.cat([x[:, :3], token], 1) + positions


MIDDLES = {
    "nothing": nn.Identity(),
    "shapes": permuted,
    "windows in the batch": windows,
    "operations in place": written_into,
    "unpacked chunks": unpacked,
    "loops over parts": looped,
    "tensors made for the batch": made_for_the_batch,
}


@pytest.mark.parametrize("name", MIDDLES)
def test_what_a_networks_code_does_between_two_layers_costs_no_split_point(name: str) -> None:
    partition = cut_everywhere(Network(MIDDLES[name]))
    names = list(partition.points)
    assert names[:2] == ["input", "first"]
    assert partition.outputs == ("output",)
    assert partition.notes == ()
    assert len(names) > 3 or name == "nothing"


def test_numbers_of_a_shape_that_are_used_later_do_not_cross() -> None:
    class Late(Network):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            batch, _, height, width = x.shape
            y = self.second(self.first(x)).flatten(1)
            return y.reshape(batch, 2, height * width).mean(2)

    assert {"first", "second", "flatten", "reshape"} <= set(cut_everywhere(Late(None)).points)


class Odd(nn.Module):
    """Its code looks at a value of the picture, which no graph can."""

    def __init__(self) -> None:
        super().__init__()
        self.inner = nn.Conv2d(4, 4, 1)

    def forward(self, x: torch.Tensor) -> torch.Tensor:
        x = self.inner(x)
        return x if x.sum().item() > float("-inf") else -x


def test_a_module_that_cannot_be_traced_is_one_operation_and_said() -> None:
    partition = cut_everywhere(Network(nn.Sequential(nn.ReLU(), Odd(), nn.ReLU())))
    assert list(partition.points) == ["input", "first", "middle.0", "middle.1", "middle", "second", "output"]
    (note,) = partition.notes
    assert note.startswith("cannot be cut inside middle.1: ")


def test_a_module_called_output_has_another_split_point_than_the_output() -> None:
    module = nn.Sequential()
    for name in ("input", "output", "last"):
        module.add_module(name, nn.Conv2d(3, 3, 1))
    assert list(cut_everywhere(module).points) == ["input", "input_1", "output_1", "output"]


def test_pictures_may_have_one_channel_and_any_size() -> None:
    cut_everywhere(
        nn.Sequential(nn.Conv2d(1, 2, 3), nn.ReLU(inplace=True), nn.AdaptiveAvgPool2d(1), nn.Flatten()),
        (1, 9, 30),
    )


def test_hooks_of_the_whole_are_part_of_it() -> None:
    module = nn.Sequential(nn.Conv2d(3, 2, 1), nn.ReLU())
    module.register_forward_pre_hook(lambda _, given: (given[0] / 255,))
    module.register_forward_hook(lambda _module, _given, result: result * 2)
    assert "0" in cut_everywhere(module).points


def test_networks_that_no_graph_can_be_are_refused_with_the_reason() -> None:
    class Data(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x if x.sum() > 0 else -x

    class Alias(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            x = x * 2
            x[:, :1].mul_(3)
            return x

    class Batch(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.sum((1, 2, 3)) if x.shape[0] > 2 else x.mean((1, 2, 3))

    class Whole(nn.Module):
        def forward(self, x: torch.Tensor) -> torch.Tensor:
            return x.mean()

    cases = {
        Data: "torch.fx cannot trace this network: TraceError: its code looks at the values of a tensor",
        Alias: "torch.fx traces this network to a graph that computes another output than the network",
        Batch: "torch.fx cannot trace this network: TraceError: its code looks at the number of pictures",
        Whole: "the network's output has the shape () for two pictures; accepted: outputs with a row for each picture",
    }
    for kind, said in cases.items():
        with naming(kind.__name__), pytest.raises(ModelError) as refusal:
            TorchPartition(kind(), SHAPE)
        assert str(refusal.value).startswith(said), refusal.value
        assert "\n" not in str(refusal.value)
