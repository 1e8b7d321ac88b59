"""What a frame's fields must be, one function for each rule of WIRE.md, in the order in which a reader may rely on them."""

from __future__ import annotations

import zlib
from math import prod
from typing import TYPE_CHECKING

from shared import limits
from shared.errors import ContentError, LimitError, WireError

if TYPE_CHECKING:
    from collections.abc import Sequence


def require_length(view: memoryview, least: int) -> None:
    """Raise WireError if there are fewer than `least` bytes, those of the header."""
    if len(view) < least:
        raise WireError(f"a frame has a header of {least} bytes, these are {len(view)} bytes")


def check_count(count: int) -> None:
    """Raise WireError for no tensor, LimitError for more than one frame carries."""
    if not 1 <= count <= limits.MAX_TENSORS:
        error = LimitError if count else WireError
        raise error(f"a crossing of {count} tensors", accepted={"tensors": f"1 to {limits.MAX_TENSORS}"})


def check_limit(what: str, size: int, limit: int) -> None:
    """Raise LimitError if `size` bytes are above `limit`."""
    if size > limit:
        raise LimitError(
            f"{what} of {size} bytes is above the limit of {limit}", accepted={"max_bytes": limit}
        )


def check_sizes(name: int, params: Sequence[int], payloads: Sequence[int]) -> None:
    """Raise LimitError if a section is too long; limits hold for the sum over all tensors."""
    check_limit("split point name", name, limits.MAX_SPLIT_POINT_BYTES)
    check_limit("parameters", sum(params), limits.MAX_PARAMS_BYTES)
    check_limit("payload", sum(payloads), limits.MAX_PAYLOAD_BYTES)


def check_whole(view: memoryview, header: int, rest: int, crc: int, reserved: int) -> None:
    """Raise WireError if something is missing, too much or damaged. The CRC is the last field of the header."""
    if len(view) != header + rest:
        raise WireError(f"the header declares a frame of {header + rest} bytes, these are {len(view)} bytes")
    if zlib.crc32(view[header:], zlib.crc32(view[: header - 4])) != crc:
        raise WireError("the CRC does not match: the frame was damaged in transit")
    if reserved:
        raise WireError(f"reserved bits are set ({reserved:#x}); accepted: 0")


def check_shapes(shapes: Sequence[tuple[int, ...]]) -> None:
    """Raise ContentError for a shape that no tensor has, LimitError for too many tensors or elements in all."""
    check_count(len(shapes))
    for shape in shapes:
        if (
            not 1 <= len(shape) <= limits.MAX_RANK
            or not 1 <= min(shape) <= max(shape) <= limits.MAX_DIMENSION
        ):
            raise ContentError(
                f"shape {shape} is not a tensor's; accepted: 1 to {limits.MAX_RANK} dimensions of 1 to {limits.MAX_DIMENSION}"
            )
    count = sum(map(prod, shapes))
    if count > limits.MAX_ELEMENTS:
        what = f"shape {shapes[0]} has" if len(shapes) == 1 else f"shapes {list(shapes)} have"
        raise LimitError(f"{what} {count} elements", accepted={"max_elements": limits.MAX_ELEMENTS})


def shape_of(rank: int, dimensions: Sequence[int]) -> tuple[int, ...]:
    """The shape that a header's rank and four dimensions say. Raises WireError."""
    if not 1 <= rank <= limits.MAX_RANK:
        raise WireError(f"rank {rank} is not a tensor's; accepted: 1 to {limits.MAX_RANK}")
    if any(dimensions[rank:]):
        raise WireError(f"a shape of rank {rank} has more than {rank} dimensions: {tuple(dimensions)}")
    return tuple(dimensions[:rank])
