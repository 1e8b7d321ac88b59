"""Tensors of an int8 network's split point: symbols, values, and what is none."""

from __future__ import annotations

from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from kits.inference import body, tensor

from cloud.access.ledger import Entry
from cloud.bodies.body import Body
from cloud.bodies.inference.reading import Reading
from cloud.bodies.inference.request import parse_header
from cloud.networks.usage import Usage
from shared.errors import BodyError, ContentError
from shared.network.grid import Grid
from shared.network.partition import Partition, SplitPoint

GRID = Grid(0.25, 128)
POINTS = [
    SplitPoint("input", ((3, 2, 2),), 0, 2),
    SplitPoint("both", ((3,), (2,)), 1, 1, (GRID, None)),
    SplitPoint("output", ((2,),), 2, 0),
]
SYMBOLS = np.array([[0, 128, 255], [1, 2, 3]], np.uint8)
VALUES = np.ones((2, 2), np.float32)


class Network:
    partition = Partition(POINTS)
    usage = Usage()

    def shapes(self) -> dict[str, Any]:
        return {point.name: point.shapes for point in POINTS}


def read(*inputs: Any) -> Any:
    data, headers = body(*inputs)
    (length,) = map(int, headers.values())
    given = Body()
    given.add(data, 0.0)
    reading = Reading(
        parse_header(data, length), given, length, Network(), SimpleNamespace(), SimpleNamespace(),
        pinned=False, entry=Entry(None, ""),
    )  # type: ignore[arg-type]  # fmt: skip
    return reading.tensors()[1]


def test_symbols_stay_symbols_beside_values() -> None:
    work = read(tensor("both[1]", VALUES), tensor("both[0]", SYMBOLS))
    assert [each.dtype for each in work.crossing] == [np.uint8, np.float32]
    np.testing.assert_array_equal(work.crossing[0], SYMBOLS)
    assert (work.split_point, work.codec) == ("both", "uint8")
    assert work.payload_bytes == SYMBOLS.nbytes + VALUES.nbytes


def test_values_are_taken_where_symbols_are() -> None:
    work = read(tensor("both[0]", GRID.values(SYMBOLS).astype(np.float16)), tensor("both[1]", VALUES))
    assert work.crossing[0].dtype == np.float32
    np.testing.assert_array_equal(GRID.symbols(work.crossing[0]), SYMBOLS)


def test_symbols_where_there_are_none() -> None:
    with pytest.raises(BodyError, match="no symbols there"):
        read(tensor("both[0]", SYMBOLS), tensor("both[1]", VALUES.astype(np.uint8)))


def test_arrays_can_be_used_wherever_they_lie() -> None:
    """The JSON before them may end at any byte."""
    for length in range(8):
        work = read(tensor("both[0]", GRID.values(SYMBOLS)), tensor("both[1]", VALUES, spaces=" " * length))
        assert all(each.flags.aligned for each in work.crossing), length


def test_numbers_that_are_none() -> None:
    for bad in (np.nan, np.inf, -np.inf):
        with pytest.raises(ContentError, match="NaN or infinity"):
            read(tensor("both[0]", SYMBOLS), tensor("both[1]", np.full((2, 2), bad, np.float16)))
