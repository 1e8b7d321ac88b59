"""Places where several tensors cross, in networks of random structure."""

from __future__ import annotations

import itertools
from typing import TYPE_CHECKING

import numpy as np
from kits import graphs, pyramids

from shared.bundling.graph.cuts import sole_crossings, uses
from shared.bundling.graph.macs import work_before
from shared.bundling.graph.reading import Graph, shapes_at
from shared.bundling.graph.several.places import Several, several_crossings
from shared.bundling.graph.several.stretch import Stretch
from shared.bundling.graph.values import Values
from shared.engines.openvino.runtime import operations as ops
from shared.limits import MAX_TENSORS

if TYPE_CHECKING:
    from shared.engines.openvino.runtime import ov


def _random_network(seed: int, layers: int) -> ov.Model:
    """Convolutions and sums of what is already there, of 1 to 8 channels; one to three of them are the outputs."""
    random = np.random.default_rng(seed)
    given = graphs.picture()
    made = [graphs.convolution(given, 3, int(random.integers(1, 9)), "0")]
    for number in range(1, layers):
        recent = made[-6:]
        picked = [recent[place] for place in random.integers(0, len(recent), random.integers(1, 3))]
        joined = picked[0] if len(picked) == 1 else ops.concat(picked, 1)
        inputs = joined.get_output_partial_shape(0)[1].get_length()
        made.append(graphs.convolution(joined, inputs, int(random.integers(1, 9)), str(number)))
    ends = [each for each in made if not each.output(0).get_target_inputs()]
    while len(ends) > 3:
        ends = [*ends[2:], ops.concat(ends[:2], 1)]
    return graphs.model(given, *ends)


class _Read:
    """A model as the search sees it."""

    def __init__(self, model: ov.Model) -> None:
        self.graph = Graph(model)
        self.outputs = [self.graph.inputs[self.graph.number(result)][0] for result in model.get_results()]
        tables = [shapes_at(self.graph, batch) for batch in (1, 2, 3)]
        self.values = Values(self.graph, tables, None)
        self.work = work_before(self.graph, tables[0])
        self.soles = sole_crossings(self.graph, len(self.outputs))
        self.users = uses(self.graph, len(self.outputs))
        self.operations = [
            number
            for number, on_picture in enumerate(self.graph.on_picture)
            if on_picture and self.graph.types[number] != "Result"
        ]

    def places(self) -> list[Several]:
        return several_crossings(self.graph, self.values, self.soles, self.work, self.outputs)

    def head(self, values: tuple[tuple[int, int], ...]) -> set[int]:
        """The operations that these values need."""
        found: set[int] = set()
        stack = [number for number, _ in values]
        while stack:
            number = stack.pop()
            if number not in found and self.graph.on_picture[number]:
                found.add(number)
                stack += [source for source, _ in self.graph.inputs[number]]
        return found

    def crossing(self, head: set[int]) -> tuple[tuple[int, int], ...]:
        return tuple(
            sorted(
                value
                for value, users in self.users.items()
                if value[0] in head and not head.issuperset(users)
            )
        )

    def elements(self, values: tuple[tuple[int, int], ...]) -> int:
        return sum(int(np.prod(self.values.shape(value) or (1 << 40,))) for value in values)


def test_in_networks_of_random_structure_all_places_are_cuts_and_form_a_chain() -> None:
    total = 0
    for seed in range(40):
        read = _Read(_random_network(seed, layers=8 + seed))
        places = read.places()
        heads: list[tuple[int, set[int]]] = [
            (position, read.head((value,))) for value, position in read.soles.items()
        ]
        for place in places:
            head = read.head(place.values)
            assert read.crossing(head) == place.values, seed
            assert 2 <= len(place.values) <= MAX_TENSORS, seed
            assert place.work == sum(read.work[each] - read.work[each - 1] for each in head if each), seed
            assert len(set(place.values)) == len(place.values), seed
            heads.append((list(read.soles.values())[place.after], head))
        for (_, one), (_, other) in itertools.combinations(heads, 2):
            assert one <= other or other <= one, seed
        works = [place.work for place in places]
        assert works == sorted(works), seed
        assert places == _Read(_random_network(seed, layers=8 + seed)).places(), seed
        total += len(places)
    assert total > 40


def test_the_cheapest_place_of_a_stretch_is_cheaper_than_every_other() -> None:
    compared = 0
    for seed in range(60):
        read = _Read(_random_network(seed, layers=9))
        ends = [*read.soles.values(), len(read.graph.operations) - 1]
        for number, (start, bounds) in enumerate(zip(read.soles, itertools.pairwise(ends), strict=True)):
            stretch = Stretch(read.graph, read.values, read.users, read.work, number, start, bounds)
            inside = stretch.operations
            if not 1 < len(inside) <= 14:
                continue
            found = stretch.cheapest(frozenset(), frozenset(inside), 0, 0)
            before = {each for each in read.operations if each <= bounds[0]}
            costs = []
            for chosen in itertools.product((False, True), repeat=len(inside)):
                head = before | set(itertools.compress(inside, chosen))
                if any(
                    source not in head and read.graph.on_picture[source]
                    for each in head
                    for source, _ in read.graph.inputs[each]
                ):
                    continue
                values = read.crossing(head)
                if len(values) <= MAX_TENSORS and all(
                    read.graph.types[value[0]] != "Parameter" for value in values
                ):
                    costs.append(read.elements(values))
            assert (found.elements if found else None) == min(costs, default=None), (seed, number)
            compared += 1
    assert compared > 20


def test_a_pyramid_is_cut_in_its_backbone_at_its_levels_and_in_its_heads() -> None:
    read = _Read(pyramids.feature_pyramid())
    names = [
        [read.graph.operations[number].get_friendly_name() for number, _ in place.values]
        for place in read.places()
    ]
    assert ["stage2.b", "stage3.b"] in names
    assert any(
        len(place) == 3 and all(name.startswith(("pyramid", "lateral", "sum")) for name in place)
        for place in names
    )
    assert any(any(name.startswith(("classes", "boxes")) for name in place) for place in names)


def test_a_residual_network_gains_none() -> None:
    given = graphs.picture((-1, 8, 8, 8))
    value = given
    for number in range(8):
        inner = ops.relu(graphs.convolution(value, 8, 8, f"{number}.a"))
        value = ops.relu(ops.add(value, graphs.convolution(inner, 8, 8, f"{number}.b")), name=str(number))
    assert _Read(graphs.model(given, value)).places() == []


def test_where_more_tensors_cross_than_a_frame_carries_there_is_no_place() -> None:
    given = graphs.picture((-1, 8, 8, 8))
    for branches, is_cut in ((MAX_TENSORS, True), (MAX_TENSORS + 1, False)):
        ends = []
        for number in range(branches):
            narrow = graphs.convolution(given, 8, 1, f"narrow{number}")
            ends.append(graphs.convolution(narrow, 1, 8, f"wide{number}"))
        places = _Read(graphs.model(given, ops.concat(ends, 1))).places()
        assert {len(place.values) for place in places} == ({branches} if is_cut else set()), branches
