"""Minimum cuts against every possible one."""

from __future__ import annotations

import itertools

import numpy as np

from shared.bundling.graph.several.minimum_cut import NEVER, SINK, SOURCE, FlowNetwork


def _built(arcs: list[tuple[int, int, int]], nodes: int) -> FlowNetwork:
    network = FlowNetwork()
    for _ in range(nodes - 2):
        network.node()
    for arc in arcs:
        network.arc(*arc)
    return network


def _cost(arcs: list[tuple[int, int, int]], before: list[bool]) -> int:
    return sum(capacity for start, end, capacity in arcs if before[start] and not before[end])


def test_the_cut_is_the_cheapest_and_the_last_of_them() -> None:
    random = np.random.default_rng(3)
    for trial in range(60):
        nodes = int(random.integers(3, 9))
        arcs = [
            (int(start), int(end), int(random.integers(1, 6)))
            for start, end in itertools.permutations(range(nodes), 2)
            if random.random() < 0.45 and start != SINK and end != SOURCE
        ]
        found = _built(arcs, nodes).before_cut()
        assert found is not None
        assert (found[SOURCE], found[SINK]) == (True, False)
        cuts = [[True, False, *inner] for inner in itertools.product((False, True), repeat=nodes - 2)]
        least = min(_cost(arcs, each) for each in cuts)
        assert _cost(arcs, found) == least, trial
        last = [each for each in cuts if _cost(arcs, each) == least]
        assert all(mine >= other for cut in last for mine, other in zip(found, cut, strict=True)), trial


def test_what_may_not_be_cut_is_not() -> None:
    inner = [(SOURCE, 2, 5), (2, 3, NEVER), (3, SINK, 7)]
    assert _built(inner, 4).before_cut() == [True, False, False, False]
    assert _built([*inner, (SOURCE, 3, NEVER)], 4).before_cut() == [True, False, True, True]
    assert _built([(SOURCE, 2, NEVER), (2, SINK, NEVER)], 3).before_cut() is None
    assert _built([(SOURCE, 2, 1)], 4).before_cut() == [True, False, True, True]
