"""The outputs of a tail as the JSON that `POST /model` answers JSON with."""

from __future__ import annotations

import json
from typing import TYPE_CHECKING, Any

from cloud.access.refusals import AnswerError
from shared.limits import MAX_JSON_ANSWER_BYTES

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

    import numpy as np
    from numpy.typing import NDArray

    from shared.engines.half import Tensors

_AT_ONCE = 4096
"""Numbers that are written in one call, which holds the interpreter: a millisecond or two."""
SHORTEST = len("0.0, ")
"""Characters that a number takes at least."""


def require_answerable(numbers: int) -> None:
    """Raise AnswerError if so many numbers make a longer answer than there may be, however short they are."""
    if numbers * SHORTEST > MAX_JSON_ANSWER_BYTES:
        raise _too_long(f"the answer would hold {numbers} numbers")


def json_answer(outputs: Tensors, names: Sequence[str], count: Any) -> bytes:
    """The rows of the only output, or of several by name. Raises AnswerError as soon as it is too long."""
    require_answerable(sum(output.size for output in outputs))
    pieces: list[bytes] = []
    size = 0
    for piece in _pieces(outputs, names, count):
        pieces.append(piece.encode())
        size += len(piece)
        if size > MAX_JSON_ANSWER_BYTES:
            raise _too_long(f"the answer is longer than {MAX_JSON_ANSWER_BYTES} bytes")
    return b"".join(pieces)


def _pieces(outputs: Tensors, names: Sequence[str], count: Any) -> Iterator[str]:
    yield '{"result": '
    if len(outputs) == 1:
        yield from numbers_as_json(outputs[0])
    else:
        for place, (name, output) in enumerate(zip(names, outputs, strict=True)):
            yield f"{', ' if place else '{'}{json.dumps(name)}: "
            yield from numbers_as_json(output)
        yield "}"
    yield f', "count": {json.dumps(count)}}}'


def numbers_as_json(output: NDArray[np.float32]) -> Iterator[str]:
    """An array as JSON, in pieces."""
    if output.size <= _AT_ONCE:
        yield json.dumps(output.tolist())
        return
    if output.ndim == 1:
        yield "["
        for start in range(0, len(output), _AT_ONCE):
            yield (", " if start else "") + json.dumps(output[start : start + _AT_ONCE].tolist())[1:-1]
        yield "]"
        return
    for place, row in enumerate(output):
        yield ", " if place else "["
        yield from numbers_as_json(row)
    yield "]"


def _too_long(what: str) -> AnswerError:
    return AnswerError(
        f"{what}; send fewer tensors at a time, or frames, whose answers are short",
        accepted={"max_bytes": MAX_JSON_ANSWER_BYTES},
    )
