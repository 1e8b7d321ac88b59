"""One crossing to a frame and back, by the codecs that the frame names.

For all bytes, `unpack` followed by `decode_frame` gives valid arrays or raises WireError and nothing else.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

import numpy as np

from shared import limits
from shared.codecs.calibrated.codec import Calibrated
from shared.codecs.calibrated.inter.codec import CalibratedInter
from shared.codecs.registry import codec_of
from shared.codecs.symbols import symbols_of
from shared.errors import CodecError, ContentError, RequestError, WireError
from shared.wire.checks import check_limit, check_shapes
from shared.wire.frame import EncodedTensor, Frame

if TYPE_CHECKING:
    from collections.abc import Sequence

    from numpy.typing import NDArray

    from shared.codecs.base import Codec
    from shared.network.grid import Grid


_ALONE = (
    "{} carries pictures, and a picture travels alone: a frame of several tensors takes codecs for tensors"
)


def encode_frame(
    crossing: NDArray[Any] | Sequence[NDArray[Any]],
    codec: Codec,
    *,
    split_point: str,
    fingerprint: bytes,
    frame_id: int,
    capture_time_ns: int = 0,
    deadline_ms: int = 0,
) -> Frame:
    """Encode the tensors of one crossing (float32, without the batch dimension), or one picture (uint8, (H, W, 3), RGB).

    An array stands for a crossing of one. Raises WireError if the codec cannot represent one of them or they are above a limit.
    """
    if isinstance(crossing, np.ndarray):
        crossing = [crossing]
    check_shapes([array.shape for array in crossing])
    if codec.carries == "picture" and len(crossing) > 1:
        raise CodecError(_ALONE.format(codec.name))
    tensors = []
    for number, array in enumerate(crossing):
        if codec.carries == "picture" and (array.dtype != np.uint8 or array.shape[2:] != (3,)):
            raise ContentError(f"a picture is (H, W, 3) uint8, not {array.shape} {array.dtype}")
        try:
            encoder = codec.of_tensor(number)
            params, payload = encoder.encode(array)
        except WireError as error:
            raise _naming(error, number, len(crossing)) from error.__cause__
        tensors.append(EncodedTensor(encoder.id, array.shape, params, payload))
    frame = Frame(split_point, tuple(tensors), fingerprint, frame_id, capture_time_ns, deadline_ms)
    check_limit("payload", frame.payload_bytes, limits.MAX_PAYLOAD_BYTES)
    return frame


def decode_frame(frame: Frame) -> tuple[NDArray[Any], ...]:
    """The arrays of a frame: float32 of each tensor's shape, or uint8 for a picture. Raises WireError."""
    return decode_tensors(frame, codecs_of(frame))


def codecs_of(frame: Frame) -> list[Codec]:
    """The codec that each tensor of a frame names, `calibrated` still without its profile.

    Raises CodecError for one that is not known, and for codecs that no frame of several tensors may name together.
    """
    codecs = [codec_of(tensor) for tensor in frame.tensors]
    if len(codecs) > 1:
        for codec in codecs:
            if codec.carries == "picture":
                raise CodecError(_ALONE.format(codec.name))
        names = {codec.name for codec in codecs}
        fitted = sorted(names & {Calibrated.name, CalibratedInter.name})
        if fitted and len(names) > 1:
            raise CodecError(
                f"{fitted[0]} is for all tensors of a frame or for none: its profile was fitted to the whole crossing"
            )
    return codecs


def decode_tensors(
    frame: Frame, codecs: Sequence[Codec], grids: Sequence[Grid | None] = ()
) -> tuple[NDArray[Any], ...]:
    """The arrays of a frame by these codecs, one for each of its tensors. Raises WireError, which says of which tensor of several.

    Where `grids`, the split point's, has one and the frame brings its symbols, these are given as they are: uint8.
    """
    arrays: list[NDArray[Any]] = []
    for number, (tensor, codec) in enumerate(zip(frame.tensors, codecs, strict=True)):
        try:
            symbols = symbols_of(codec, tensor, grids[number] if grids else None)
            arrays.append(
                codec.decode(tensor.params, tensor.payload, tensor.shape) if symbols is None else symbols
            )
        except WireError as error:
            raise _naming(error, number, len(codecs)) from error.__cause__
    return tuple(arrays)


def _naming(error: WireError, number: int, count: int) -> WireError:
    """The same error, saying which tensor of several it is about."""
    if count == 1:
        return error
    # A class of another package may take other arguments.
    kind = type(error) if type(error).__init__ is RequestError.__init__ else ContentError
    return kind(f"tensor {number} of {count}: {error}", accepted=error.accepted)
