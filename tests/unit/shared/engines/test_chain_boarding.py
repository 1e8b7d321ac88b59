"""More frames enter a run of a chain on its way: each has the answer that it has alone, in the order of boarding."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from kits.bundles import tiny
from kits.engines import NATIVE, error, new_engine

from shared.engines.base import TOLERANCES
from shared.engines.segmented import Segmented, segmented
from shared.network.partition import INPUT, OUTPUT

if TYPE_CHECKING:
    from shared.engines.half import Tensors

PICTURES = np.random.default_rng(0).standard_normal((6, 3, 8, 8)).astype(np.float32)
NAMES = (INPUT, "relu", "tokens", "mix", OUTPUT)


def crossings(network: Segmented, name: str, *numbers: int) -> list[Tensors]:
    point = next(each for each in network.points if each.name == name)
    return [network.head(point)((PICTURES[number : number + 1],)) for number in numbers]


def merged(network: Segmented, boarding: dict[str, list[Tensors]], *, disturbed: bool = False) -> Tensors:
    """`boarding` by split point, the first of which begins the run; disturbed, another frame runs at each stop."""
    (start, callers), *_ = boarding.items()
    point = next(each for each in network.points if each.name == start)
    run = network.tail(point).begin(callers, one_thread=True)
    more: list[Tensors] = []
    while (outputs := run.advance(lambda name: name in boarding, more)) is None:
        more = boarding[run.point]
        if disturbed:
            network.tail(network.points[0])((PICTURES[5:],))
    return outputs


@pytest.mark.parametrize("precision", NATIVE)
def test_each_frame_of_a_run_has_its_own_answer_wherever_it_boarded(precision: str) -> None:
    points = [tiny(outputs=2).partition.point(name) for name in NAMES]
    network = segmented(new_engine(precision, tiny(outputs=2), threads=1), points)
    ways = [
        {INPUT: (0, 1), "relu": (2,), "mix": (3, 4)},
        {INPUT: (3,), "relu": (0,), "tokens": (1,), "mix": (2,)},
        {"relu": (1,), "tokens": (0, 2)},
        {"tokens": (4, 3), "mix": (0,)},
    ]
    for way in ways:
        boarding = {name: crossings(network, name, *numbers) for name, numbers in way.items()}
        alone = [
            network.tail(next(point for point in points if point.name == name))(each)
            for name, callers in boarding.items()
            for each in callers
        ]
        for disturbed in (False, True):
            found = merged(network, boarding, disturbed=disturbed)
            assert len(found) == 2
            for row, right in enumerate(alone):
                own = tuple(each[row : row + 1] for each in found)
                assert error(own, right) <= TOLERANCES[precision] / 10, (way, row, disturbed)


def test_nobody_boards_where_pictures_are_taken_one_by_one() -> None:
    bundle = tiny(batch=1)
    network = segmented(new_engine("float32", bundle), [bundle.partition.point(name) for name in NAMES])
    run = network.tail(network.points[0]).begin([(PICTURES[:2],)])
    assert run.ahead == []
    outputs = run.advance(lambda _point: False)
    assert outputs is not None
    assert len(outputs[0]) == 2
