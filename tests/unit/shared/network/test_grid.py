"""The grid of a tensor that a network quantises itself."""

from __future__ import annotations

import numpy as np

from shared.network.grid import Grid
from shared.network.partition import SplitPoint

ALL = np.arange(256, dtype=np.uint8)


def test_values_become_the_same_symbols_again_whatever_the_scale() -> None:
    scales = np.exp(np.random.default_rng(0).uniform(-40, 40, 2000)).astype(np.float32)
    for number, scale in enumerate(scales):
        grid = Grid(float(scale), number % 256)
        assert np.array_equal(grid.symbols(grid.values(ALL)), ALL), grid


def test_a_signed_grid_is_int8_to_the_engine() -> None:
    grid = Grid(0.5, 128)
    native = grid.native(ALL)
    assert native.dtype == np.int8
    assert native.tolist() == list(range(-128, 128))
    assert np.array_equal(grid.symbols(native), ALL)
    assert np.array_equal(grid.values(native), grid.values(ALL))
    assert grid.native(native) is native
    assert np.array_equal(grid.native(grid.values(ALL)), native)


def test_other_grids_are_uint8_to_the_engine() -> None:
    for zero_point in (0, 3, 255):
        grid = Grid(0.25, zero_point)
        assert grid.native(ALL) is ALL
        assert grid.native(grid.values(ALL)).dtype == np.uint8


def test_values_beside_the_grid_go_to_the_nearest_step_and_far_ones_to_its_ends() -> None:
    grid = Grid(0.5, 10)
    values = np.array([-1e9, -5.0, -0.24, 0.0, 0.26, 122.5, 1e9], np.float32)
    assert grid.symbols(values).tolist() == [0, 0, 10, 10, 11, 255, 255]


def test_a_crossing_changes_where_there_is_a_grid_only() -> None:
    grid = Grid(0.5, 128)
    point = SplitPoint("neck", ((256,), (2,)), 1, 1, (grid, None))
    plain = np.ones((1, 2), np.float32)
    for given in (ALL[None], grid.values(ALL)[None]):
        native, symbols, values = (
            form((given, plain)) for form in (point.native, point.symbols, point.values)
        )
        assert [each[1] is plain for each in (native, symbols, values)] == [True] * 3
        assert (native[0].dtype, symbols[0].dtype, values[0].dtype) == (np.int8, np.uint8, np.float32)
        assert np.array_equal(symbols[0], ALL[None])
    free = SplitPoint("relu", ((2,),), 1, 1)
    assert free.native((plain,)) == free.values((plain,)) == free.symbols((plain,)) == (plain,)
