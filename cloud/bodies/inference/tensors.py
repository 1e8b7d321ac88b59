"""Tensors in the bytes of an inference request: the extension `binary_tensor_data`, and numbers in JSON."""

from __future__ import annotations

import math
import struct
from itertools import chain
from typing import TYPE_CHECKING, Any

import numpy as np

from shared.errors import BodyError, ContentError, LimitError, ShapeError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from cloud.bodies.inference.request import Input, Request
    from cloud.bodies.json.body import Shape

_DTYPES: dict[str, np.dtype[Any]] = {
    "FP32": np.dtype("<f4"),
    "FP16": np.dtype("<f2"),
    "UINT8": np.dtype("u1"),
}
IN_JSON = ("FP32", "FP16")
_LENGTH = struct.Struct("<I")


def payloads(request: Request, rest: memoryview) -> list[memoryview]:
    """The binary part of a body, divided among the inputs in their order. Raises BodyError unless it is just theirs."""
    found, at = [], 0
    for each in request.inputs:
        if each.size is None:
            raise BodyError(
                f"input {each.name} has its data in JSON before binary tensors; send all in one form",
                accepted={"parameters": {"binary_data_size": "bytes"}},
            )
        found.append(rest[at : at + each.size])
        at += each.size
    if at != len(rest):
        raise BodyError(f"the inputs declare {at} bytes of binary data, and the body has {len(rest)}")
    return found


def elements(each: Input, payload: memoryview) -> list[memoryview]:
    """The elements of an input of datatype BYTES, each behind its length of four bytes. Raises BodyError."""
    count, at = math.prod(each.shape), 0
    found: list[memoryview] = []
    # Whatever the shape says, there are no more than the bytes hold.
    while len(found) < count and at + _LENGTH.size <= len(payload):
        (length,) = _LENGTH.unpack_from(payload, at)
        at += _LENGTH.size
        found.append(payload[at : at + length])
        at += length
    if len(found) != count or at != len(payload):
        raise BodyError(
            f"input {each.name} of shape {list(each.shape)} has {count} elements of BYTES, and its {len(payload)} bytes hold "
            f"{len(found)} that take {at}"
        )
    return found


def numbers(each: Input, payload: memoryview) -> NDArray[Any]:
    """The array of an input that is not BYTES, in its own datatype: a view, where processors can use it. Raises BodyError."""
    dtype = _DTYPES.get(each.datatype)
    if dtype is None:
        raise BodyError(
            f"input {each.name} is of datatype {each.datatype} beside others; pictures and frames come alone",
            accepted={"datatype": list(_DTYPES)},
        )
    size = math.prod(each.shape) * dtype.itemsize
    if len(payload) != size:
        raise BodyError(
            f"input {each.name} of shape {list(each.shape)} and datatype {each.datatype} is {size} bytes, "
            f"not {len(payload)}"
        )
    return np.require(np.frombuffer(payload, dtype).reshape(each.shape), requirements="A")


def listed(each: Input) -> NDArray[np.float32]:
    """The array of an input whose numbers are in JSON, nested as its shape says or all in one list. Raises RequestError."""
    if each.datatype not in IN_JSON or each.data is None:
        raise BodyError(
            f"input {each.name} of datatype {each.datatype} in JSON; bytes are sent in binary form",
            accepted={"datatype in JSON": list(IN_JSON)},
        )
    try:
        with np.errstate(over="ignore"):  # an overflow becomes infinity, which is refused by name
            array = np.array(each.data, dtype=np.float32)
    except (ValueError, TypeError, OverflowError):
        array = np.empty((), np.float32)
    if not array.ndim or not _all_numbers(each.data, array.ndim):
        raise ShapeError(
            f"the data of input {each.name} are not numbers in one list, or as nested as its shape"
        )
    if array.shape != each.shape and (array.ndim > 1 or array.size != math.prod(each.shape)):
        raise ShapeError(
            f"input {each.name} is of shape {list(each.shape)}, and its data of shape {list(array.shape)}"
        )
    return array.reshape(each.shape)


def values(each: Input, array: NDArray[Any], shape: Shape, *, symbols: bool) -> NDArray[Any]:
    """What crosses: float32, or uint8 where the split point takes `symbols`. Raises RequestError.

    `shape` is that of the tensor that crosses there, without the batch dimension.
    """
    if array.shape[1:] != shape:
        raise ShapeError(
            f"input {each.name} is of shape {list(each.shape)}; there crosses (n, {', '.join(map(str, shape))})",
            accepted={"shape": [-1, *shape]},
        )
    if array.dtype == np.uint8:
        if not symbols:
            raise BodyError(
                f"input {each.name} is of datatype UINT8, and the network has no symbols there",
                accepted={"datatype": ["FP32", "FP16"]},
            )
        return array
    array = array.astype(np.float32, copy=False)
    if not np.isfinite(array).all():
        raise ContentError(f"input {each.name} holds NaN or infinity; accepted: finite numbers")
    return array


def require_rows(request: Request, most: int) -> None:
    """Raise RequestError unless all inputs have the same length of the batch dimension, of at most `most`."""
    if len({each.shape[0] for each in request.inputs}) > 1:
        found = ", ".join(f"{each.name} {each.shape[0]}" for each in request.inputs)
        raise ShapeError(f"inputs of different batch sizes: {found}")
    if request.rows > most:
        raise LimitError(
            f"{request.rows} rows, which is the first dimension of input {request.inputs[0].name}",
            accepted={"rows": f"1 to {most}"},
        )


def _all_numbers(nested: Any, depth: int) -> bool:
    """Whether all leaves are numbers: numpy also takes strings, booleans and nulls for numbers."""
    leaves: Sequence[Any] | chain[Any] = [nested]
    for _ in range(depth):
        leaves = chain.from_iterable(leaves)
    return set(map(type, leaves)) <= {int, float}
