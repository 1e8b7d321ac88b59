"""One tensor to a frame and back, by the codec that the frame names.

For all bytes, `unpack` followed by `decode_frame` gives a valid array or raises WireError and nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from shared import limits
from shared.codecs.registry import codec_of
from shared.errors import ContentError
from shared.wire.frame import Frame, check_limit, check_shape

if TYPE_CHECKING:
    from numpy.typing import NDArray

    from shared.codecs.base import Codec


def encode_frame(
    array: NDArray[Any],
    codec: Codec,
    *,
    split_point: str,
    fingerprint: bytes,
    frame_id: int,
    capture_time_ns: int = 0,
    deadline_ms: int = 0,
) -> Frame:
    """Encode one tensor (float32, without the batch dimension) or picture (uint8, (H, W, 3), RGB).

    Raises WireError if the codec cannot represent it or it is above a limit.
    """
    check_shape(array.shape)
    if codec.carries == "picture" and (array.dtype != np.uint8 or array.shape[2:] != (3,)):
        raise ContentError(f"a picture is (H, W, 3) uint8, not {array.shape} {array.dtype}")
    params, payload = codec.encode(array)
    check_limit("payload", len(payload), limits.MAX_PAYLOAD_BYTES)
    return Frame(
        split_point,
        codec.id,
        array.shape,
        params,
        payload,
        fingerprint,
        frame_id,
        capture_time_ns,
        deadline_ms,
    )


def decode_frame(frame: Frame) -> NDArray[Any]:
    """The array of a frame: float32 of `frame.shape`, or uint8 for a picture. Raises WireError."""
    return codec_of(frame).decode(frame.params, frame.payload, frame.shape)
