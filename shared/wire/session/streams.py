"""A stream of frames: what all its frames have in common is said once, and each frame says the rest."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared import limits
from shared.errors import WireError
from shared.wire.checks import check_count, check_limit, check_shapes
from shared.wire.session import varint
from shared.wire.session.fields import packed_text

if TYPE_CHECKING:
    from shared.wire.frame import EncodedTensor, Frame
    from shared.wire.session.fields import Reader

_ALIGNED = 4
"""Prefixes are cut to multiples of this: hashes and scales, which change with every frame, have as many bytes, and the first of them are the
same now and then."""
_CODECS = 1 << 16


@dataclass(frozen=True, slots=True)
class StreamTensor:
    """What one tensor is in every frame of a stream."""

    codec_id: int
    shape: tuple[int, ...]
    params: bytes
    """With which the parameters of every frame begin."""
    more_bytes: int
    """How many bytes of parameters follow in each frame."""

    def fits(self, tensor: EncodedTensor) -> bool:
        """Whether the tensor of a frame can be told by what is said here."""
        return (
            (tensor.codec_id, tensor.shape) == (self.codec_id, self.shape)
            and len(tensor.params) == len(self.params) + self.more_bytes
            and tensor.params.startswith(self.params)
        )

    def like(self, tensor: EncodedTensor) -> StreamTensor:
        """What is to be said for this tensor's frame, if those before were as is said here."""
        known = StreamTensor(tensor.codec_id, tensor.shape, tensor.params, 0)
        if (known.codec_id, known.shape, len(known.params)) != (
            self.codec_id,
            self.shape,
            len(self.params) + self.more_bytes,
        ):
            return known
        common = _common(self.params, tensor.params)
        if common < len(self.params):
            common -= common % _ALIGNED
        return StreamTensor(self.codec_id, self.shape, self.params[:common], len(tensor.params) - common)


@dataclass(frozen=True, slots=True)
class Stream:
    """What is said of a stream."""

    split_point: str
    tensors: tuple[StreamTensor, ...]

    def fits(self, frame: Frame) -> bool:
        """Whether a frame needs no other definition of its stream."""
        return (
            frame.split_point == self.split_point
            and len(frame.tensors) == len(self.tensors)
            and all(known.fits(tensor) for known, tensor in zip(self.tensors, frame.tensors, strict=True))
        )


def _common(first: bytes, second: bytes) -> int:
    """How many bytes both begin with."""
    pairs = enumerate(zip(first, second, strict=False))
    return next((place for place, (one, other) in pairs if one != other), min(len(first), len(second)))


def stream_for(frame: Frame, before: Stream | None) -> Stream:
    """The definition for this frame and, as far as can be seen, for those after it; `before`: the one so far."""
    if before and (before.split_point, len(before.tensors)) == (frame.split_point, len(frame.tensors)):
        pairs = zip(before.tensors, frame.tensors, strict=True)
        return Stream(frame.split_point, tuple(known.like(tensor) for known, tensor in pairs))
    new = (StreamTensor(each.codec_id, each.shape, each.params, 0) for each in frame.tensors)
    return Stream(frame.split_point, tuple(new))


def packed_stream(stream: Stream) -> bytes:
    """The fields of a definition, after its number. Raises WireError for what no frame can be."""
    _check(stream)
    parts = [
        packed_text(stream.split_point, limits.MAX_SPLIT_POINT_BYTES, "a split point's name"),
        varint.packed(len(stream.tensors)),
    ]
    for tensor in stream.tensors:
        numbers = (tensor.codec_id, len(tensor.shape), *tensor.shape, tensor.more_bytes, len(tensor.params))
        parts += [*map(varint.packed, numbers), tensor.params]
    return b"".join(parts)


def read_stream(reader: Reader) -> Stream:
    """The definition in these fields. Raises WireError."""
    split_point = reader.text(limits.MAX_SPLIT_POINT_BYTES, "a split point's name")
    count = reader.number(limits.MAX_TENSORS, "a number of tensors")
    stream = Stream(split_point, tuple(_read_tensor(reader) for _ in range(count)))
    _check(stream)
    return stream


def _read_tensor(reader: Reader) -> StreamTensor:
    codec_id = reader.number(_CODECS - 1, "a codec")
    rank = reader.number(limits.MAX_RANK, "a rank")
    shape = tuple(reader.number(limits.MAX_DIMENSION, "a dimension") for _ in range(rank))
    more_bytes = reader.number(limits.MAX_PARAMS_BYTES, "parameters")
    params = reader.bytes(reader.number(limits.MAX_PARAMS_BYTES, "parameters"))
    return StreamTensor(codec_id, shape, bytes(params), more_bytes)


def _check(stream: Stream) -> None:
    check_count(len(stream.tensors))
    check_shapes([tensor.shape for tensor in stream.tensors])
    if not all(0 <= tensor.codec_id < _CODECS for tensor in stream.tensors):
        raise WireError(f"codecs have numbers of 0 to {_CODECS - 1}")
    length = sum(len(tensor.params) + tensor.more_bytes for tensor in stream.tensors)
    check_limit("parameters", length, limits.MAX_PARAMS_BYTES)
