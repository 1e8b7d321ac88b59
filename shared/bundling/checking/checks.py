"""Checks of a bundle before it is written: the whole against its framework, and head then tail against the whole."""

from __future__ import annotations

from typing import TYPE_CHECKING, Literal, TypeAlias

from shared.bundling.checking.matching import in_order_of
from shared.bundling.checking.probe import relative_error
from shared.engines.base import TOLERANCES
from shared.engines.probe import output_error
from shared.errors import ModelError

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shared.bundling.checking.answers import Answers
    from shared.bundling.checking.halves import Halves
    from shared.network.partition import SplitPoint

Check: TypeAlias = Literal["stage_ends", "all"]

_LIMIT = TOLERANCES["float32"]


_OTHER_ORDER = "the rows of the outputs that are filled up come in another order than {}'s"
_OTHER_ROWS = "of the rows that the network selects itself, some are others than {}'s, or in another order"


def check_whole(answers: Answers, reference: str) -> tuple[float, tuple[str, ...]]:
    """The relative error of OpenVINO's outputs against the reference's, and notes. Raises ModelError if it is too large."""
    error = relative_error(answers.own_outputs, answers.outputs)
    if not error <= _LIMIT and answers.filled_up:
        moved = in_order_of(answers.own_outputs, answers.outputs, answers.filled_up)
        if (as_sets := relative_error(moved, answers.outputs)) <= _LIMIT:
            return as_sets, (_OTHER_ORDER.format(reference),)
    if not error <= _LIMIT and answers.selected:
        error = output_error(answers.own_outputs, answers.outputs, answers.selected)
        if error <= _LIMIT:
            return error, (_OTHER_ROWS.format(reference),)
    if not error <= _LIMIT:  # false for NaN as well
        raise ModelError(
            f"openvino computes this network otherwise than {reference}: the outputs differ by {error:.2g} of their length "
            f"on the probe pictures; accepted: {_LIMIT:g}"
        )
    return error, ()


def check_points(halves: Halves, answers: Answers, points: Iterable[SplitPoint]) -> float:
    """The largest relative error of head then tail against the whole at `points`. Raises ModelError if it is too large."""
    largest = 0.0
    for point in points:
        crossing = halves.head(point, (answers.tensors,))
        found = halves.tail(point, crossing)
        error = relative_error(found, answers.own_outputs)
        if not error <= _LIMIT and answers.selected:
            error = output_error(found, answers.own_outputs, answers.selected)
        if not error <= _LIMIT:
            raise ModelError(
                f"cut at {point.name}, this network computes otherwise than as a whole: the outputs differ by {error:.2g} of "
                f"their length; accepted: {_LIMIT:g}"
            )
        largest = max(largest, error)
    return largest
