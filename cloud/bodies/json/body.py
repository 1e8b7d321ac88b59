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
    from collections.abc import Mapping, Sequence

    from numpy.typing import NDArray

    from shared.wire.frame import Bytes

_PICTURES = (b"\xff\xd8\xff", b"\x89PNG", b"RIFF")
"""How JPEGs, PNGs and WebPs begin."""

Shape = tuple[int, ...]
Shapes = dict[str, tuple[Shape, ...]]
"""The shape of each tensor that crosses, without the batch dimension, by split point."""


class Tensors(NamedTuple):
    """What a body holds: n crossings at `split_point`, a finite tensor (n, *shape), float32, for each of its shapes."""

    split_point: str
    arrays: tuple[NDArray[np.float32], ...]
    count: Any
    """What else the body holds, for its answer."""
    cpu_s: float = 0.0
    """Processor time, if another process read the body."""


def read_tensors(
    body: Bytes, shapes: Mapping[str, tuple[Shape, ...]], default: str, max_tensors: int
) -> Tensors:
    """Read `{"data": [[[[…]]]], "count": n, "split_point": name}`, the last two optional. Raises RequestError.

    Where several tensors cross, `data` is a list of them. `default` is where they crossed if the body names no split point; at
    most `max_tensors` frames may come at once.
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
    arrays = _arrays(fields["data"], shapes[name], name)
    counts = [len(array) for array in arrays]
    if len(set(counts)) > 1:
        raise ShapeError(
            f'the tensors in "data" are of {_text(counts)} frames',
            accepted={"shape": _accepted(shapes[name])},
        )
    if not 1 <= counts[0] <= max_tensors:
        raise LimitError(f"{counts[0]} tensors in one request", accepted={"tensors": f"1 to {max_tensors}"})
    for number, array in enumerate(arrays):
        if not np.isfinite(array).all():
            raise ContentError(
                f"{_which(number, len(arrays))} holds NaN, infinity or a number too large for float32; accepted: finite numbers"
            )
    return Tensors(name, tuple(arrays), count)


def _arrays(data: Any, shapes: tuple[Shape, ...], name: str) -> list[NDArray[np.float32]]:
    """Arrays (n, *shape), one for each of `shapes`."""
    if len(shapes) > 1 and not (isinstance(data, list) and len(data) == len(shapes)):
        found = f"a list of {len(data)}" if isinstance(data, list) else _kind(data)
        raise ShapeError(
            f'at {name} {len(shapes)} tensors cross, so "data" is a list of {len(shapes)} arrays, not {found}',
            accepted={"shape": _accepted(shapes)},
        )
    arrays = []
    for number, nested in enumerate(data if len(shapes) > 1 else [data]):
        array, shape = _array(nested), shapes[number]
        if array is None or not (array.ndim or shape):  # one number is no array of numbers
            raise ShapeError(
                f"{_which(number, len(shapes))} is not a rectangular array of numbers; at {name} it is of shape (n, {_text(shape)})",
                accepted={"shape": _accepted(shapes)},
            )
        arrays.append(array)
    check_shapes([array.shape[1:] for array in arrays], shapes, name)
    return arrays


def _array(nested: Any) -> NDArray[np.float32] | None:
    """Nested lists as an array; None if they are not rectangular, or not all numbers."""
    try:
        with np.errstate(over="ignore"):  # an overflow becomes infinity, which is refused by name later
            array = np.array(nested, dtype=np.float32)
    except (ValueError, TypeError, OverflowError):
        return None
    return array if _all_numbers(nested, array.ndim) else None


def _which(number: int, count: int) -> str:
    return '"data"' if count == 1 else f'tensor {number} of {count} in "data"'


def _accepted(shapes: tuple[Shape, ...]) -> list[Any]:
    every: list[list[Any]] = [["n", *shape] for shape in shapes]
    return every[0] if len(every) == 1 else every


def parse_object(body: Bytes, accepted: dict[str, Any]) -> dict[str, Any]:
    """Parse a JSON object. Raises BodyError, with `accepted` as what the endpoint takes."""
    text = bytes(body)
    _check_structure(text)
    try:
        fields = json.loads(text)
    except (ValueError, RecursionError) as error:
        reason = "nested too deeply" if isinstance(error, RecursionError) else str(error)
        if text.startswith(_PICTURES):
            reason = "it is a picture, which travels with a Content-Type such as image/jpeg"
        raise BodyError(f"the body is not JSON: {reason}", accepted=accepted) from None
    if not isinstance(fields, dict):
        raise BodyError(f"the body is {_kind(fields)}, not an object", accepted=accepted)
    return fields


def _kind(value: Any) -> str:
    """What JSON calls a value: `a JSON object`."""
    return "JSON's null" if value is None else f"a JSON {_KINDS[type(value)]}"


_KINDS = {dict: "object", list: "array", str: "string", int: "number", float: "number", bool: "boolean"}


def check_shapes(actual: Sequence[Shape], expected: tuple[Shape, ...], split_point: str) -> None:
    """Raise ShapeError unless `actual` are the shapes of the tensors that cross at `split_point`."""
    if len(actual) != len(expected):
        raise ShapeError(
            f"at {split_point} {_tensors(len(expected))}, not {len(actual)}",
            accepted={"shape": public_shape(expected)},
        )
    for number, (found, wanted) in enumerate(zip(actual, expected, strict=True)):
        if found != wanted:
            which = "a tensor" if len(expected) == 1 else f"as tensor {number} of {len(expected)} one"
            raise ShapeError(
                f"at {split_point} {which} of shape ({_text(wanted)}) crosses, not ({_text(found)})",
                accepted={"shape": public_shape(expected)},
            )


def public_shape(shapes: Sequence[Shape]) -> list[Any]:
    """How answers say what crosses: the shape of one tensor, or a list of the shapes of several."""
    every = [list(shape) for shape in shapes]
    return every[0] if len(every) == 1 else every


def _tensors(count: int) -> str:
    return "1 tensor crosses" if count == 1 else f"{count} tensors cross"


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


def _text(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))
