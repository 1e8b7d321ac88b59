"""Frames of an int8 network in one batch: some bring its symbols, some their values."""

from __future__ import annotations

import numpy as np

from cloud.batching.tails import Tails
from shared.network.grid import Grid
from shared.network.partition import Partition, SplitPoint

GRID = Grid(0.25, 128)
POINT = SplitPoint("layer1", ((3,),), 1, 1, (GRID,))
SYMBOLS = np.array([[0, 128, 255], [1, 2, 3]], np.uint8)


class Engine:
    """Its tail returns what it was given."""

    def at_hand(self, _kind, _point):
        return lambda tensors: tensors


def test_symbols_and_values_of_one_batch_are_joined_as_symbols() -> None:
    tails = Tails(Partition([POINT]), Engine())  # type: ignore[arg-type]
    (found,) = tails.run("layer1", [(SYMBOLS[:1],), (GRID.values(SYMBOLS[1:]),)])
    assert found.dtype == np.uint8
    assert np.array_equal(found, SYMBOLS)
