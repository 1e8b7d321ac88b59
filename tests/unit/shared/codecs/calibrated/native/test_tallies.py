"""What the library counts is what numpy counts."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest
from kits.naming import naming
from kits.profiles import SMALL, features

from edge.calibration.fit import fit_profile
from edge.calibration.fitting import magnitudes as magnitudes_module
from edge.calibration.fitting import reconstruction as reconstruction_module
from shared.codecs.calibrated.context_model import Canvas, passes_of
from shared.codecs.calibrated.native.library import library
from shared.codecs.calibrated.native.tallies import Tallies

if TYPE_CHECKING:
    from collections.abc import Callable

GRIDS = [(6, 6, 8), (1, 1, 40), (5, 7, 3), (1, 12, 70), (9, 4, 130)]
LEVELS = 40


def grids_of(grid: tuple[int, int, int]) -> np.ndarray:
    rng = np.random.default_rng(grid[2])
    found = rng.integers(0, LEVELS, (3, *grid)).astype(np.uint8)
    found[rng.random(found.shape) < 0.7] = 0
    return found


def levels_of() -> list:
    found = library()
    assert found is not None
    return found.levels


def test_sums_around_every_symbol() -> None:
    for grid in GRIDS:
        for level in levels_of():
            for magnitudes in grids_of(grid):
                with naming(grid, level.name):
                    found = Tallies(level, grid).around(magnitudes)
                    assert np.array_equal(found, Canvas.of(magnitudes).around)
                    assert np.array_equal(Canvas.of(magnitudes, found).around, found)


def test_values_by_channel_neighbourhood_and_magnitude() -> None:
    for grid in GRIDS:
        frames = grids_of(grid)
        values = np.random.default_rng(1).standard_normal(frames.shape).astype(np.float32)
        shape = grid[2], 5, LEVELS
        count, total = np.zeros(shape, np.int64), np.zeros(shape)
        for level in levels_of():
            expected, sums = np.zeros(shape, np.int64), np.zeros(shape)
            count[:], total[:] = 0, 0
            for magnitudes, each in zip(frames, values, strict=True):
                around = Canvas.of(magnitudes).around.astype(np.uint8)
                Tallies(level, grid, LEVELS).values(magnitudes, around, each, count, total)
                reconstruction_module._tally(magnitudes, around, each, expected, sums)
            with naming(grid, level.name):
                assert np.array_equal(count, expected)
                assert count.sum() == frames.size
                np.testing.assert_allclose(total, sums, rtol=1e-12, atol=1e-12)


def test_sizes_by_kind() -> None:
    for grid in GRIDS:
        frames, passes = grids_of(grid), passes_of(*grid, min(2, grid[2]))
        for by_position in (False, True):
            shape = grid if by_position else grid[2:]
            kinds = np.random.default_rng(2).integers(0, 8, shape).astype(np.uint8)
            for by_size in (False, True):
                expected = magnitudes_module._tally(frames, passes, kinds, LEVELS, by_size=by_size)
                for level in levels_of():
                    found = np.zeros_like(expected)
                    for magnitudes in frames:
                        Tallies(level, grid, LEVELS, by_size=by_size).sizes(
                            magnitudes, kinds.reshape(-1, grid[2]), found
                        )
                    with naming(grid, by_position, by_size, level.name):
                        assert np.array_equal(found, expected)


def test_arrays_by_which_the_library_would_write_out_of_bounds_are_refused() -> None:
    grid = rows, columns, channels = 5, 7, 3
    tallies, room = Tallies(levels_of()[-1], grid, LEVELS, by_size=True), 8
    magnitudes, kinds = np.ones(grid, np.uint8), np.zeros((1, channels), np.uint8)
    sums, values = magnitudes.reshape(-1, channels), np.ones(grid, np.float32)
    counts, totals = np.zeros((channels, 5, LEVELS), np.int64), np.zeros((channels, 5, LEVELS))
    of_kinds = np.zeros((room, 8, LEVELS), np.int64)
    apart = np.zeros((room, 8, 2 * LEVELS), np.int64)[:, :, ::2]
    fixed = of_kinds.copy()
    fixed.setflags(write=False)
    calls: list[tuple[Callable[..., object], list[np.ndarray], list[tuple[int, np.ndarray]]]] = [
        (tallies.around, [magnitudes], [(0, magnitudes[:4]), (0, magnitudes.astype(np.int16))]),
        (
            tallies.values,
            [magnitudes, sums, values, counts, totals],
            [
                (0, np.full(grid, LEVELS, np.uint8)),
                (0, magnitudes.astype(np.int8)),
                (0, magnitudes[:, :6]),
                (1, sums[:-1]),
                (2, values[:-1]),
                (2, values.astype(np.float64)),
                (3, counts.astype(np.int32)),
                (3, counts[:, :, :-1]),
                (4, totals[1:]),
                (4, totals.astype(np.float32)),
            ],
        ),
        (
            tallies.sizes,
            [magnitudes, kinds, of_kinds],
            [
                (0, np.full(grid, LEVELS, np.uint8)),
                (0, magnitudes.astype(np.int64)),
                (1, np.full((1, channels), room, np.uint8)),
                (1, np.zeros((rows, columns - 1, channels), np.uint8)),
                (1, kinds.astype(np.int64)),
                (2, of_kinds[:, :4]),
                (2, apart),
                (2, fixed),
            ],
        ),
    ]
    for call, good, bad in calls:
        call(*good)
        for place, array in bad:
            arrays = [*good[:place], array, *good[place + 1 :]]
            with (
                naming(call.__name__, place, array.dtype, array.shape),
                pytest.raises(ValueError, match="accepted"),
            ):
                call(*arrays)
    assert counts.sum() == of_kinds.sum() == magnitudes.size


def test_kinds_by_channel_need_no_second_axis() -> None:
    """A row of kinds is that of all positions, however it is shaped: what was read behind it named cells anywhere."""
    magnitudes = grids_of((5, 7, 3))[0]
    kinds = np.array([0, 7, 2], np.uint8)
    found = [np.zeros((8, 8, LEVELS), np.int64) for _ in range(2)]
    for shape, counts in zip(((3,), (1, 3)), found, strict=True):
        Tallies(levels_of()[-1], (5, 7, 3), LEVELS, by_size=True).sizes(
            magnitudes, kinds.reshape(shape), counts
        )
    assert np.array_equal(*found)


def test_without_the_library_the_same_frames_give_the_same_profile(monkeypatch: pytest.MonkeyPatch) -> None:
    tensors = features((8, 6, 6), 30, seed=70)
    with_library = fit_profile(tensors, SMALL, fingerprint=b"profile.", split_point="layer1")
    monkeypatch.setattr(Tallies, "of", lambda *_, **__: None)
    without = fit_profile(tensors, SMALL, fingerprint=b"profile.", split_point="layer1")
    assert with_library.arrays.keys() == without.arrays.keys()
    for name, array in with_library.arrays.items():
        with naming(name):
            np.testing.assert_allclose(array, without.arrays[name], rtol=2e-3, atol=1e-4)
