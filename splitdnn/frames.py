"""What a frame carries, as arrays, without a network."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared.codecs import coding
from shared.errors import ShapeError

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shared.wire.frame import Frame


def decode_frame(frame: Frame) -> NDArray[Any]:
    """The array of a frame of one tensor: float32 of `frame.shape`, or uint8 for a picture.

    Raises WireError, and ShapeError for a frame of several tensors, which `decode_crossing` decodes.
    """
    if len(frame.tensors) > 1:
        raise ShapeError(
            f"this frame carries {len(frame.tensors)} tensors: call decode_crossing", accepted={"tensors": 1}
        )
    (array,) = coding.decode_frame(frame)
    return array


def decode_crossing(frame: Frame) -> tuple[NDArray[Any], ...]:
    """The arrays of a frame of any number of tensors, in the split point's order: float32, or uint8 for a picture. Raises WireError."""
    return coding.decode_frame(frame)
