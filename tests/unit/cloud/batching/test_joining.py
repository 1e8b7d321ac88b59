"""Batches are joined in memory that is used again."""

from __future__ import annotations

import threading

import numpy as np
import pytest

from cloud.batching import crossing as module
from cloud.batching.crossing import Crossing, Joining, join


def crossing(*numbers: float, dtype: type = np.float32) -> Crossing:
    """A frame for each number, with two tensors of different shapes that hold it."""
    values = np.array(numbers, dtype)
    return np.tile(values[:, None], (1, 3)), np.tile(values[:, None, None], (1, 2, 2))


@pytest.mark.parametrize("dtype", [np.float32, np.uint8])
def test_it_gives_what_join_gives_whatever_was_there_before(dtype: type) -> None:
    joining = Joining()
    for numbers in ([(1, 2), (3,)], [(4,), (5, 6), (7, 8)], [(9,), (10,)]):
        callers = [crossing(*each, dtype=dtype) for each in numbers]
        found, expected = joining.join(callers), join(callers)
        for one, other in zip(found, expected, strict=True):
            np.testing.assert_array_equal(one, other)
            assert one.dtype == other.dtype == dtype
            assert one.flags.c_contiguous


def test_numbers_behind_an_odd_number_of_symbols_are_aligned() -> None:
    symbols, numbers = np.arange(3, dtype=np.uint8)[None], np.arange(5, dtype=np.float32)[None]
    joining = Joining()
    for callers in (3, 2, 5):
        found = joining.join([(symbols + row, numbers - row) for row in range(callers)])
        assert all(each.flags.aligned for each in found), callers
        for row in range(callers):
            np.testing.assert_array_equal(found[0][row], symbols[0] + row)
            np.testing.assert_array_equal(found[1][row], numbers[0] - row)


def test_the_memory_is_the_same_the_next_time_and_a_lone_crossing_is_not_copied() -> None:
    joining = Joining()
    first = joining.join([crossing(1), crossing(2)])
    second = joining.join([crossing(3), crossing(4)])
    assert np.may_share_memory(first[0], second[0])
    alone = crossing(5)
    assert joining.join([alone]) is alone


def test_each_thread_has_its_own() -> None:
    joining, found = Joining(), []

    def run() -> None:
        found.append(joining.join([crossing(1), crossing(2)]))

    threads = [threading.Thread(target=run) for _ in range(2)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert not np.may_share_memory(found[0][0], found[1][0])


def test_a_large_batch_keeps_nothing(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_KEPT_BYTES", 10)
    joining = Joining()
    first, second = (joining.join([crossing(1), crossing(2)]) for _ in range(2))
    assert not np.may_share_memory(first[0], second[0])


def test_what_a_tail_hands_on_is_the_callers() -> None:
    joining = Joining()
    made = (np.zeros(3, np.float32),)
    assert joining.owned(made) is made  # nothing was joined yet
    joined = joining.join([crossing(1), crossing(2)])
    (owned, other) = joining.owned((joined[0], made[0]))
    assert other is made[0]
    joining.join([crossing(8), crossing(9)])
    np.testing.assert_array_equal(owned, join([crossing(1), crossing(2)])[0])
