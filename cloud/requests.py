"""From a request's body to tensors that a tail can take: the two contracts of `POST /model`."""

from __future__ import annotations

import json
import math
from dataclasses import dataclass
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from shared import wire
from shared.codecs import codec_by_id
from shared.errors import BodyError, CodecError, ContentError, FingerprintError, LimitError, ShapeError
from shared.partition import INPUT

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shared.models import Model
    from shared.partition import Partition, SplitPoint


# What no body of tensors comes near: a list for each row of each channel, a comma for each number, hardly a key.
_MOST_MARKS = {b"[": 1 << 20, b",": wire.MAX_ELEMENTS, b'"': 1 << 18, b"{": 1 << 18}


@dataclass(frozen=True, slots=True)
class Work:
    """Validated tensors (n, *shape), float32, that crossed at `split_point`."""

    split_point: str
    tensors: NDArray[np.float32]
    deadline_ms: int = 0
    frame_id: int = 0
    count: Any = None
    codec: str | None = None
    payload_bytes: int = 0


def read_frame(body: wire.Bytes, model: Model, partition: Partition) -> Work:
    """One frame as shared/WIRE.md defines it. Raises RequestError."""
    frame = wire.unpack(body)
    if frame.fingerprint != model.fingerprint:
        raise FingerprintError(
            f"this frame is of another network (fingerprint {frame.fingerprint.hex()}); "
            f"here runs {model.name} with weights {model.weights}",
            accepted={"fingerprint": model.fingerprint.hex(), "model": model.name, "weights": model.weights},
        )
    point = partition.point(frame.split_point)
    codec = codec_by_id(frame.codec_id)
    if codec.carries == "picture":
        if point.name != INPUT:
            raise CodecError(
                f"{codec.name} carries pictures, and pictures travel at the split point {INPUT!r} only"
            )
        expected: tuple[int, ...] = model.preprocessing.picture_shape
    else:
        expected = point.shape
    _check_shape(frame.shape, expected, point)
    array = wire.decode(frame)
    tensor = model.preprocessing.normalise(array) if codec.carries == "picture" else array
    return Work(
        point.name, tensor[None], frame.deadline_ms, frame.frame_id, None, codec.name, len(frame.payload)
    )


def read_json(body: wire.Bytes, partition: Partition, default: str, max_tensors: int) -> Work:
    """`{"data": [[[[…]]]], "count": n, "split_point": name}`, the last two optional. Raises RequestError."""
    fields = parse_object(body, {"data": "nested lists", "count": "any number", "split_point": "a name"})
    if "data" not in fields:
        raise BodyError(
            'the body has no "data"', accepted={"data": "nested lists (n, …)", "count": "any number"}
        )
    count = fields.get("count")
    if not (count is None or isinstance(count, int) or (isinstance(count, float) and math.isfinite(count))):
        raise BodyError('"count" is not a finite number', accepted={"count": "any number"})
    name = fields.get("split_point", default)
    if not isinstance(name, str) or len(name) > wire.MAX_SPLIT_POINT_BYTES:
        raise BodyError('"split_point" is not a name', accepted={"split_point": list(partition.points)})
    point = partition.point(name)
    try:
        with np.errstate(over="ignore"):  # an overflow becomes infinity, which is refused by name below
            tensors = np.array(fields["data"], dtype=np.float32)
    except (ValueError, TypeError, OverflowError):
        tensors = None
    if tensors is None or not _all_numbers(fields["data"], tensors.ndim):
        raise ShapeError(
            f'"data" is not a rectangular array of numbers; at {point.name} it is of shape (n, {_text(point.shape)})',
            accepted={"shape": ["n", *point.shape]},
        )
    _check_shape(tensors.shape[1:], point.shape, point)
    if not 1 <= len(tensors) <= max_tensors:
        raise LimitError(
            f"{len(tensors)} tensors in one request", accepted={"tensors": f"1 to {max_tensors}"}
        )
    if not np.isfinite(tensors).all():
        raise ContentError(
            '"data" holds NaN, infinity or a number too large for float32; accepted: finite numbers'
        )
    return Work(point.name, tensors, count=count)


def parse_object(body: wire.Bytes, accepted: dict[str, str]) -> dict[str, Any]:
    """A JSON object. Raises BodyError; `accepted` says what the endpoint takes."""
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


def _check_structure(body: bytes) -> None:
    """Refuse what would parse into far more memory than its tensors take: empty lists, objects, strings by the million."""
    for mark, most in _MOST_MARKS.items():
        found = body.count(mark)
        if found > most:
            raise LimitError(
                f"a JSON body with {found} times {mark.decode()!r}", accepted={f"most {mark.decode()}": most}
            )


def _all_numbers(nested: Any, depth: int) -> bool:
    """Whether all leaves are numbers: numpy also reads strings, truths and nulls as such."""
    leaves = iter([nested])
    for _ in range(depth):
        leaves = chain.from_iterable(leaves)
    return set(map(type, leaves)) <= {int, float}


def _check_shape(actual: tuple[int, ...], expected: tuple[int, ...], point: SplitPoint) -> None:
    if actual != expected:
        raise ShapeError(
            f"at {point.name} a tensor of shape ({_text(expected)}) crosses, not ({_text(actual)})",
            accepted={"shape": list(expected)},
        )


def _text(shape: tuple[int, ...]) -> str:
    return ", ".join(map(str, shape))
