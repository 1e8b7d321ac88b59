"""One crossing to a frame and back, by the codecs that the frame names.

For all bytes, `unpack` followed by `decode_frame` gives valid arrays or raises WireError and nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from shared import limits
from shared.codecs.registry import codec_of
from shared.errors import ContentError
from shared.wire.frame import EncodedTensor, Frame, check_limit, check_shapes

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from shared.codecs.base import Codec


def encode_frame(
    crossing: Sequence[NDArray[Any]],
    codec: Codec,
    *,
    split_point: str,
    fingerprint: bytes,
    frame_id: int,
    capture_time_ns: int = 0,
    deadline_ms: int = 0,
) -> Frame:
    """Encode the tensors of one crossing (float32, without the batch dimension), or one picture (uint8, (H, W, 3), RGB).

    Raises WireError if the codec cannot represent one of them or they are above a limit.
    """
    check_shapes([array.shape for array in crossing])
    tensors = []
    for number, array in enumerate(crossing):
        if codec.carries == "picture" and (array.dtype != np.uint8 or array.shape[2:] != (3,)):
            raise ContentError(f"a picture is (H, W, 3) uint8, not {array.shape} {array.dtype}")
        encoder = codec.of_tensor(number)
        try:
            params, payload = encoder.encode(array)
        except ContentError as error:
            if len(crossing) == 1:
                raise
            raise ContentError(
                f"tensor {number} of {len(crossing)}: {error}", accepted=error.accepted
            ) from error
        tensors.append(EncodedTensor(encoder.id, array.shape, params, payload))
    frame = Frame(split_point, tuple(tensors), fingerprint, frame_id, capture_time_ns, deadline_ms)
    check_limit("payload", frame.payload_bytes, limits.MAX_PAYLOAD_BYTES)
    return frame


def decode_frame(frame: Frame) -> tuple[NDArray[Any], ...]:
    """The arrays of a frame: float32 of each tensor's shape, or uint8 for a picture. Raises WireError."""
    return tuple(
        codec_of(tensor).decode(tensor.params, tensor.payload, tensor.shape) for tensor in frame.tensors
    )
