"""A half made of segments, run at once and with pauses, with segments that overwrite what they gave before."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np
import pytest

from shared.engines.segmented import Chain
from shared.network.partition import SplitPoint

if TYPE_CHECKING:
    from collections.abc import Sequence

    from shared.engines.half import Tensors


POINTS = [SplitPoint(name, ((1,),), 1, 1) for name in ("first", "second", "third")]


class Form:
    """Packs to an array twice as large, so that packed and plain tensors cannot be mistaken for each other."""

    def pack(self, tensors: Tensors) -> Any:
        return [np.concatenate([each, each], axis=1) for each in tensors]

    def gather(self, packed: Any, callers: Sequence[Tensors]) -> Any:
        parts = [self.pack(each) for each in callers]
        return [np.concatenate(each) for each in zip(*([packed] if packed else []), *parts, strict=True)]

    def unpack(self, packed: Any) -> Tensors:
        return tuple(each[:, : each.shape[1] // 2].copy() for each in packed)

    def copy(self, packed: Any) -> Any:
        return [each.copy() for each in packed]


class Segment:
    """Multiplies by `factor` in memory that its next run uses again, as an engine's does."""

    def __init__(self, factor: float) -> None:
        self._factor = factor
        self._memory = np.zeros((8, 2), np.float32)
        self.runs: list[int] = []

    def __call__(self, packed: Any) -> Any:
        (given,) = packed
        self.runs.append(len(given))
        result = self._memory[: len(given)]
        result[...] = given * self._factor
        return [result]


def rows(*values: float) -> Tensors:
    return (np.array(values, np.float32)[:, None],)


def chain(*, one_by_one: bool = False) -> tuple[Chain, list[Segment]]:
    segments = [Segment(2), Segment(3), Segment(5)]
    return Chain(Form(), segments, POINTS, one_by_one=one_by_one), segments


@pytest.mark.parametrize("one_by_one", [False, True])
def test_another_run_in_a_pause_changes_nothing(one_by_one: bool) -> None:
    half, _ = chain(one_by_one=one_by_one)
    for pauses in range(12):
        left = [False] * pauses + [True] + [False] * 99
        run = half.begin([rows(1, 2)])
        while (outputs := run.advance(lambda _point, left=left: left.pop(0))) is None:
            (other,) = half(rows(7, 8, 9))
            assert other[:, 0].tolist() == [210, 240, 270], pauses
        assert outputs[0][:, 0].tolist() == [30, 60], pauses


def test_each_piece_ends_after_one_segment_if_that_is_enough() -> None:
    half, segments = chain()
    run = half.begin([rows(1, 2)])
    for pieces in (1, 2):
        assert run.advance(lambda _point: True) is None
        assert sum(len(each.runs) for each in segments) == pieces
    outputs = run.advance(lambda _point: True)
    assert outputs is not None
    assert outputs[0][:, 0].tolist() == [30, 60]


def test_pictures_that_are_taken_one_by_one_have_pauses_between_them() -> None:
    half, segments = chain(one_by_one=True)
    run, pieces = half.begin([rows(1, 2, 3)]), 1
    while (outputs := run.advance(lambda _point: True)) is None:
        pieces += 1
    assert pieces == 9
    assert [each.runs for each in segments] == [[1, 1, 1]] * 3
    assert outputs[0][:, 0].tolist() == [30, 60, 90]


def test_a_chain_of_nothing_gives_what_it_was_given() -> None:
    half = Chain(Form(), [], [], one_by_one=True)
    (outputs,) = half(rows(1, 2))
    assert outputs[:, 0].tolist() == [1, 2]
