"""The outputs of a network: of whatever form, a flat list of tensors with names."""

from __future__ import annotations

from collections import namedtuple
from dataclasses import dataclass
from typing import TYPE_CHECKING

import torch
from kits.cutting import SHAPE, cut_everywhere
from kits.naming import naming
from torch import nn

from shared.torch_network.partition import TorchPartition

if TYPE_CHECKING:
    from collections.abc import Callable


class Pair(nn.Module):
    """Several outputs, in whatever form `wrap` gives them."""

    def __init__(self, wrap: Callable[..., object]) -> None:
        super().__init__()
        self.body, self.one, self.other = nn.Conv2d(3, 4, 3), nn.Conv2d(4, 2, 1), nn.Conv2d(4, 3, 1)
        self.wrap = wrap
        self.requires_grad_(requires_grad=False)

    def forward(self, x: torch.Tensor) -> object:
        x = self.body(x).relu()
        return self.wrap(self.one(x), self.other(x).mean((2, 3)))


@dataclass
class Output:
    logits: torch.Tensor
    features: tuple[torch.Tensor, ...] = ()
    loss: torch.Tensor | None = None


Named = namedtuple("Named", "maps classes")  # noqa: PYI024 - as code that is not typed has them


def test_outputs_of_every_form_are_a_flat_list_with_names() -> None:
    forms: dict[tuple[str, ...], Callable[..., object]] = {
        ("output_0", "output_1"): lambda one, other: [one, other],
        ("out", "aux"): lambda one, other: {"out": one, "aux": other},
        ("maps", "classes"): Named,
        ("logits", "features.0"): lambda one, other: Output(one, (other, one)),
        ("a.b.0", "a.c"): lambda one, other: {"a": {"b": (one, None), "c": other}, "epoch": 3},
        ("output",): lambda one, other: (one.chunk(2, 1)[0] + other[:, :1, None, None],)[0],
        ("output_0",): lambda one, _: (one, torch.ones(3)),
        ("output_0", "output_1.0", "output_1.1"): lambda one, other: (other, one.max(1)),
    }
    for names, wrap in forms.items():
        with naming(names):
            partition = TorchPartition(Pair(wrap).eval(), SHAPE)
            assert partition.outputs == names
            end = partition.ends[1]
            assert len(end.shapes) == len(names)
            assert {"body", "relu"} <= set(partition.points)
            outputs = partition.tail(partition.point("relu"))(
                *partition.head(partition.point("relu"))(torch.ones(2, *SHAPE))
            )
            assert [tuple(each.shape[1:]) for each in outputs] == list(end.shapes)
            assert {each.dtype for each in outputs} == {torch.float32}


class Prior(Pair):
    """One more output, a parameter."""

    def forward(self, x: torch.Tensor) -> object:
        return {"maps": super().forward(x), "prior": self.one.bias}


def test_an_output_that_is_the_same_for_every_picture_is_left_out_with_a_note() -> None:
    cases: list[tuple[nn.Module, str]] = [
        (Pair(lambda one, _: (one, torch.ones(3))), "output_1"),
        (Pair(lambda one, _: {"maps": one, "sizes": torch.arange(4)}), "sizes"),
        (Prior(lambda one, _: one), "prior"),
    ]
    for network, name in cases:
        with naming(name):
            partition = TorchPartition(network.eval(), SHAPE)
            assert partition.notes == (f"the output {name} is the same for every picture; it is left out",)
            assert name not in partition.outputs
    assert TorchPartition(Pair(lambda one, other: [one, other]).eval(), SHAPE).notes == ()


def test_several_outputs_are_those_of_the_module_at_every_split_point() -> None:
    partition = cut_everywhere(Pair(lambda one, other: {"out": one, "aux": other}))
    assert list(partition.points) == ["input", "body", "relu", "output"]


def test_an_output_that_is_ready_early_stays_an_output() -> None:
    class Early(Pair):
        def forward(self, x: torch.Tensor) -> object:
            x = self.body(x)
            return x, self.one(x)

    assert list(cut_everywhere(Early(None)).points) == ["input", "body", "output"]
