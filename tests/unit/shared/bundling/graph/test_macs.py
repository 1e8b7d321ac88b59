"""Work of a graph, as torch counts it."""

from __future__ import annotations

import pytest
import torch
from kits import graphs
from kits.graphs import model, picture
from torch.nn.attention import SDPBackend, sdpa_kernel
from torch.utils.flop_counter import FlopCounterMode

from shared.bundling.graph.macs import _einsum, work_before
from shared.bundling.graph.reading import Graph, shapes_at
from shared.bundling.sources.torch_module import convert_module
from shared.engines.openvino.runtime import operations


class _Everything(torch.nn.Module):
    """Convolutions of each kind, a matrix product and attention."""

    def __init__(self) -> None:
        super().__init__()
        self.plain = torch.nn.Conv2d(3, 8, 3, stride=2, padding=1)
        self.grouped = torch.nn.Conv2d(8, 8, 3, groups=4)
        self.wider = torch.nn.ConvTranspose2d(8, 6, 2, stride=2)
        self.grouped_wider = torch.nn.ConvTranspose2d(6, 6, 3, groups=3)
        self.linear = torch.nn.Linear(6, 12)

    def forward(self, pictures: torch.Tensor) -> torch.Tensor:
        values = self.grouped_wider(self.wider(self.grouped(self.plain(pictures))))
        tokens = self.linear(values.flatten(2).transpose(1, 2))
        attended = torch.nn.functional.scaled_dot_product_attention(tokens, tokens[:, ::2], tokens[:, ::2])
        product: torch.Tensor = attended @ tokens.transpose(1, 2)
        return product


@pytest.mark.slow
def test_torchs_own_counter_finds_the_same() -> None:
    module = _Everything().eval().requires_grad_(requires_grad=False)
    with FlopCounterMode(display=False) as counter, sdpa_kernel(SDPBackend.MATH):
        module(torch.zeros(1, 3, 16, 16))
    graph = Graph(convert_module(module, (3, 16, 16)))
    assert work_before(graph, shapes_at(graph, 1))[-1] == counter.get_total_flops() // 2


def test_work_adds_up_in_order() -> None:
    given = picture()
    graph = Graph(model(given, graphs.residual(given)))
    totals = work_before(graph, shapes_at(graph, 1))
    by_name = {each.get_friendly_name(): totals[index] for index, each in enumerate(graph.operations)}
    stem, left, fc = 64 * 4 * 3 * 9, 64 * 4 * 4 * 9, 4 * 5
    assert [by_name[name] for name in ("picture", "stem", "left", "add", "fc")] == [
        0,
        stem,
        stem + left,
        stem + left,
        stem + left + fc,
    ]


def test_products_of_constants_are_no_work() -> None:
    given = picture((-1, 3, 4, 4))
    made = operations.matmul(graphs.constant(4, 4), graphs.constant(4, 4), False, False)
    graph = Graph(model(given, operations.add(given, made)))
    assert work_before(graph, shapes_at(graph, 1))[-1] == 0


def test_a_sum_over_products_counts_each_combination() -> None:
    for equation, shapes, expected in (
        ("bij,bjk->bik", [(2, 3, 4), (2, 4, 5)], 2 * 3 * 4 * 5),
        ("...ij, jk -> ...ik", [(7, 2, 3, 4), (4, 5)], 7 * 2 * 3 * 4 * 5),
        ("ij->ji", [(3, 4)], 0),
    ):
        assert _einsum(equation, shapes) == expected, equation
