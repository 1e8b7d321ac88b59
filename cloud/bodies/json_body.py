"""JSON bodies, from bytes to a float32 array. Imports no torch, so that a small separate process can read the large ones."""

from __future__ import annotations

import json
import math
from itertools import chain
from typing import TYPE_CHECKING, Any, NamedTuple

import numpy as np

from shared.errors import BodyError, ContentError, LimitError, ShapeError, SplitPointError, suggest
from shared.limits import MAX_JSON_MARKS, MAX_SPLIT_POINT_BYTES

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from shared.wire.frame import Bytes

Shapes = dict[str, tuple[int, ...]]
"""The shape of the tensor that crosses, without the batch dimension, by split point."""


class Tensors(NamedTuple):
    """What a body holds: finite tensors (n, *shape), float32, that crossed at `split_point`."""

    split_point: str
    array: NDArray[np.float32]
    count: Any
    cpu_s: float = 0.0
    """Processor time, if another process read the body."""


def read_tensors(
    body: Bytes, shapes: Mapping[str, tuple[int, ...]], default: str, max_tensors: int
) -> Tensors:
    """Read `{"data": [[[[…]]]], "count": n, "split_point": name}`, the last two optional. Raises RequestError.

    `default` is where the tensors crossed if the body names no split point.
    """
    fields = parse_object(body, {"data": "nested lists", "count": "any number", "split_point": "a name"})
    if "data" not in fields:
        raise BodyError(
            'the body has no "data"', accepted={"data": "nested lists (n, …)", "count": "any number"}
        )
    count = fields.get("count")
    if not (count is None or isinstance(count, int) or (isinstance(count, float) and math.isfinite(count))):
        raise BodyError('"count" is not a finite number', accepted={"count": "any number"})
    name = fields.get("split_point", default)
    if not isinstance(name, str) or len(name) > MAX_SPLIT_POINT_BYTES:
        raise BodyError('"split_point" is not a name', accepted={"split_point": list(shapes)})
    if name not in shapes:
        raise SplitPointError(f"unknown split point {name!r}; {suggest(name, shapes)}", accepted=list(shapes))
    shape = shapes[name]
    try:
        with np.errstate(over="ignore"):  # an overflow becomes infinity, which is refused by name below
            array = np.array(fields["data"], dtype=np.float32)
    except (ValueError, TypeError, OverflowError):
        array = None
    if array is None or not _all_numbers(fields["data"], array.ndim):
        raise ShapeError(
            f'"data" is not a rectangular array of numbers; at {name} it is of shape (n, {_text(shape)})',
            accepted={"shape": ["n", *shape]},
        )
    check_shape(array.shape[1:], shape, name)
    if not 1 <= len(array) <= max_tensors:
        raise LimitError(f"{len(array)} tensors in one request", accepted={"tensors": f"1 to {max_tensors}"})
    if not np.isfinite(array).all():
        raise ContentError(
            '"data" holds NaN, infinity or a number too large for float32; accepted: finite numbers'
        )
    return Tensors(name, array, count)


def parse_object(body: Bytes, accepted: dict[str, str]) -> dict[str, Any]:
    """Parse a JSON object. Raises BodyError, with `accepted` as what the endpoint takes."""
    text = bytes(body)
    _check_structure(text)
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        raise BodyError(f"the body is not JSON: {reason}", accepted=accepted) from None
    if not isinstance(fields, dict):
        raise BodyError(f"the body is a JSON {type(fields).__name__}, not an object", accepted=accepted)
    return fields


def check_shape(actual: tuple[int, ...], expected: tuple[int, ...], split_point: str) -> None:
    """Raise ShapeError unless `actual` is the shape of the tensor that crosses at `split_point`."""
    if actual != expected:
        raise ShapeError(
            f"at {split_point} a tensor of shape ({_text(expected)}) crosses, not ({_text(actual)})",
            accepted={"shape": list(expected)},
        )


def _check_structure(body: bytes) -> None:
    """Refuse what would parse into far more memory than its tensors take: empty lists, objects, strings by the million."""
    for mark, limit in MAX_JSON_MARKS.items():
        found = body.count(mark)
        if found > limit:
            raise LimitError(
                f"a JSON body with {found} times {mark.decode()!r}", accepted={f"most {mark.decode()}": limit}
            )


def _all_numbers(nested: Any, depth: int) -> bool:
    """Whether all leaves are numbers: numpy also takes strings, booleans and nulls for numbers."""
    leaves = iter([nested])
    for _ in range(depth):
        leaves = chain.from_iterable(leaves)
    return set(map(type, leaves)) <= {int, float}


def _text(shape: tuple[int, ...]) -> str:
    return ", ".join(map(str, shape))
