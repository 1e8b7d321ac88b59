"""Halves in every precision: the network's numbers, for any batch, in any memory layout, from several threads."""

from __future__ import annotations

import itertools
import threading
from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest
from kits.bundles import tiny
from kits.engines import NATIVE, accepted, engine_of, error, expected, given_to, middle

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = pytest.mark.parametrize("name", NATIVE)
KINDS = ("head", "tail")


@pytest.mark.parametrize("outputs", [1, 2])
@pytest.mark.parametrize("batch", [None, 1])
def test_at_every_split_point_both_halves_give_the_networks_numbers(
    name: str, batch: int | None, outputs: int
) -> None:
    engine = engine_of(name, tiny(batch=batch, outputs=outputs))
    points = tiny(batch=batch, outputs=outputs).partition.points
    assert len(points) > 6
    for kind, point in itertools.product(KINDS, points.values()):
        if (kind, point.name) == ("tail", "output"):
            continue
        tensors = given_to(kind, point, 3, seed=9)
        got = engine.require(kind, point)((tensors,))
        assert error(got, expected(kind, point, tensors, outputs)) <= accepted(name), (kind, point.name)
    assert engine.failed_checks == 0


def test_a_batch_may_be_of_any_size_in_any_order(name: str) -> None:
    for kind in KINDS:
        half = getattr(engine_of(name), kind)(middle())
        for rows in (1, 9, 2, 8, 3, 7, 4, 6, 5, 1, 9):
            tensors = given_to(kind, middle(), rows, seed=rows)
            assert error(half((tensors,)), expected(kind, middle(), tensors)) <= accepted(name), (kind, rows)


def test_a_result_belongs_to_the_caller_and_the_input_is_left_alone(name: str) -> None:
    for kind in KINDS:
        half = getattr(engine_of(name), kind)(middle())
        first, second = given_to(kind, middle(), 3, seed=1), given_to(kind, middle(), 3, seed=2)
        before = first.copy()
        (result,) = half((first,))
        copy = result.copy()
        (other,) = half((second,))
        np.testing.assert_array_equal(result, copy, err_msg=kind)
        np.testing.assert_array_equal(first, before, err_msg=kind)
        assert not np.shares_memory(result, other), kind
        result[:] = 7  # writable, and shared with nothing
        first[:] = 0
        assert error((other,), expected(kind, middle(), second)) <= accepted(name), kind
        np.testing.assert_array_equal(half((second,))[0], other, err_msg=kind)


def odd_inputs(tensors: np.ndarray) -> Iterator[tuple[str, np.ndarray]]:
    """The same values in every memory layout that a caller may use."""
    read_only = np.frombuffer(tensors.tobytes(), np.float32).reshape(tensors.shape)
    assert not read_only.flags.writeable
    yield "read-only", read_only
    yield (
        "unaligned and read-only",
        np.frombuffer(b"x" + tensors.tobytes(), np.float32, offset=1).reshape(tensors.shape),
    )
    unaligned = np.frombuffer(bytearray(b"x" + tensors.tobytes()), np.float32, offset=1)
    assert not unaligned.flags.aligned
    yield "unaligned", unaligned.reshape(tensors.shape)
    yield "Fortran order", np.asfortranarray(tensors)
    yield "every second", np.repeat(tensors, 2, axis=-1)[..., ::2]
    yield "backwards", tensors[::-1].copy()[::-1]
    yield "a slice of a batch", np.concatenate([tensors, tensors, tensors])[len(tensors) : 2 * len(tensors)]
    yield "float64", tensors.astype(np.float64)
    yield "big-endian", tensors.astype(">f4")


def test_the_memory_layout_of_the_input_does_not_matter(name: str) -> None:
    for kind in KINDS:
        half = getattr(engine_of(name), kind)(middle())
        tensors = given_to(kind, middle(), 3, seed=4)
        (right,) = half((tensors,))
        for layout, same in odd_inputs(tensors):
            before = same.copy()
            np.testing.assert_allclose(
                half((same,))[0], right, rtol=1e-5, atol=1e-6, err_msg=f"{kind}, {layout}"
            )
            np.testing.assert_array_equal(same, before, err_msg=f"{kind}, {layout}")


def test_several_threads_that_call_one_half_get_their_own_answers(name: str) -> None:
    half = engine_of(name).tail(middle())
    batches = [
        np.float32(4 * 1.3**number) * given_to("tail", middle(), 1 + number % 4, seed=number)
        for number in range(12)
    ]
    right = [expected("tail", middle(), batch)[0] for batch in batches]
    # Rounding stays within what is accepted; any row of another batch, alone or averaged with the right one, does not.
    nearest = min(
        error(row[None], other[None])
        for one, another in itertools.permutations(right, 2)
        for row in one
        for other in another
    )
    assert accepted(name) < nearest / 2
    together = threading.Barrier(6)

    def call(worker: int) -> float:
        together.wait(60)
        worst = 0.0
        for turn in range(30):
            number = (5 * worker + turn) % len(batches)
            worst = max(worst, error(half((batches[number],))[0], right[number]))
        return worst

    with ThreadPoolExecutor(6) as pool:
        assert max(pool.map(call, range(6))) <= accepted(name)
