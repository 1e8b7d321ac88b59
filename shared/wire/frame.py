"""A frame: one encoded crossing on the wire. WIRE.md in this folder is the specification, this module implements it.

A crossing is one tensor or several. One travels as version 1, which every receiver reads; several travel as version 2.

Sans-I/O: bytes in, frames out; no socket, torch, cv2, clock or environment. For all bytes, `unpack` returns a valid frame or
raises WireError and nothing else, in time and memory linear in sizes that are checked against the limits first.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass
from typing import TYPE_CHECKING

from shared import limits
from shared.errors import WireError
from shared.wire.checks import check_count, check_shapes, check_sizes, check_whole, require_length, shape_of

if TYPE_CHECKING:
    from collections.abc import Sequence

Bytes = bytes | bytearray | memoryview

MAGIC = b"SDNF"
VERSIONS = (1, 2)

HEADER = struct.Struct("<4sBBH8sQQI4HBBHII")
"""Version 1: magic, version, rank, codec, fingerprint, frame id, capture time, deadline, shape, split point length, reserved,
parameter length, payload length, CRC."""
HEADER_2 = struct.Struct("<4sBBBB8sQQII")
"""Version 2: magic, version, number of tensors, split point length, reserved, fingerprint, frame id, capture time, deadline, CRC."""
TENSOR = struct.Struct("<HBB4HHI")
"""Version 2, for each tensor: codec, rank, reserved, shape, parameter length, payload length."""
assert HEADER.size == limits.HEADER_BYTES

_CRC_BYTES = 4
_START = struct.Struct("<4sB")


@dataclass(frozen=True, slots=True)
class EncodedTensor:
    """One encoded tensor of a frame."""

    codec_id: int
    shape: tuple[int, ...]
    """The tensor's shape without the batch dimension, or (H, W, 3) for a picture."""
    params: bytes
    payload: Bytes


@dataclass(frozen=True, slots=True)
class Frame:
    """One encoded crossing, and what the receiver needs in order to answer it."""

    split_point: str
    tensors: tuple[EncodedTensor, ...]
    """One for each tensor that crosses, in the split point's order; at least one."""
    fingerprint: bytes
    """8 bytes that identify architecture, weights and recipe (shared/network/model.py)."""
    frame_id: int
    """64 bits, unique within a sender's lifetime and for a few days after it."""
    capture_time_ns: int
    """When the picture was taken: nanoseconds since 1970 by the sender's clock. Informative; never compared with another clock."""
    deadline_ms: int
    """How long the sender will wait, in milliseconds from the arrival of the header. 0: as long as the server allows."""

    @property
    def payload_bytes(self) -> int:
        """Bytes of all payloads."""
        return sum(len(tensor.payload) for tensor in self.tensors)

    @property
    def tensor(self) -> EncodedTensor:
        """The only tensor. Raises ValueError where there are several, as do the four below, which are its fields."""
        (tensor,) = self.tensors
        return tensor

    @property
    def codec_id(self) -> int:
        return self.tensor.codec_id

    @property
    def shape(self) -> tuple[int, ...]:
        return self.tensor.shape

    @property
    def params(self) -> bytes:
        return self.tensor.params

    @property
    def payload(self) -> Bytes:
        return self.tensor.payload


def pack(frame: Frame) -> bytes:
    """The frame as bytes. Payloads are copied once. Raises WireError if a field is above its limit or does not fit its place."""
    name = _name_of(frame)
    check_sizes(
        len(name),
        [len(tensor.params) for tensor in frame.tensors],
        [len(tensor.payload) for tensor in frame.tensors],
    )
    check_shapes([tensor.shape for tensor in frame.tensors])
    if len(frame.fingerprint) != limits.FINGERPRINT_BYTES:  # struct would cut or fill it
        raise WireError(
            f"a fingerprint has {limits.FINGERPRINT_BYTES} bytes, this one {len(frame.fingerprint)}"
        )
    try:
        header, *rest = (_pack_one if len(frame.tensors) == 1 else _pack_several)(frame, name)
    except struct.error as error:
        codecs = ", ".join(str(tensor.codec_id) for tensor in frame.tensors)
        raise WireError(
            f"codec {codecs}, frame id {frame.frame_id}, capture time {frame.capture_time_ns} ns, deadline "
            f"{frame.deadline_ms} ms: one of them does not fit its field ({error})"
        ) from None
    crc = zlib.crc32(header)
    for part in rest:
        crc = zlib.crc32(part, crc)
    return b"".join((header, struct.pack("<I", crc), *rest))


def _pack_one(frame: Frame, name: bytes) -> list[Bytes]:
    (tensor,) = frame.tensors
    header = HEADER.pack(
        MAGIC, 1, len(tensor.shape), tensor.codec_id, frame.fingerprint, frame.frame_id, frame.capture_time_ns, frame.deadline_ms,
        *_filled(tensor.shape), len(name), 0, len(tensor.params), len(tensor.payload), 0,
    )  # fmt: skip
    return [header[:-_CRC_BYTES], name, tensor.params, tensor.payload]


def _pack_several(frame: Frame, name: bytes) -> list[Bytes]:
    header = HEADER_2.pack(
        MAGIC, 2, len(frame.tensors), len(name), 0, frame.fingerprint, frame.frame_id, frame.capture_time_ns, frame.deadline_ms, 0,
    )  # fmt: skip
    table = [
        TENSOR.pack(
            each.codec_id, len(each.shape), 0, *_filled(each.shape), len(each.params), len(each.payload)
        )
        for each in frame.tensors
    ]
    sections = [part for each in frame.tensors for part in (each.params, each.payload)]
    return [header[:-_CRC_BYTES], *table, name, *sections]


def _filled(shape: tuple[int, ...]) -> tuple[int, ...]:
    return shape + (0,) * (limits.MAX_RANK - len(shape))


def _name_of(frame: Frame) -> bytes:
    try:
        return frame.split_point.encode()
    except UnicodeEncodeError:
        raise WireError(f"the split point's name {frame.split_point!a} is not UTF-8") from None


def unpack(data: Bytes) -> Frame:
    """The frame that these bytes are; its payloads are views of them. Raises WireError."""
    view = memoryview(data)
    if len(view) < _START.size:
        raise WireError(f"a frame has a header of {HEADER_2.size} bytes or more, these are {len(view)} bytes")
    magic, version = _START.unpack_from(view)
    if magic != MAGIC:
        raise WireError(f"a frame starts with {MAGIC!r}, these bytes with {magic!r}")
    if version not in VERSIONS:
        raise WireError(f"frame version {version} is not supported", accepted={"versions": list(VERSIONS)})
    return _unpack_one(view) if version == 1 else _unpack_several(view)


def heading(data: Bytes) -> tuple[int, str]:
    """Frame id and split point of a frame that `pack` has made, without a look at the rest of it. Raises WireError for no frame."""
    view = memoryview(data)
    if len(view) < HEADER_2.size or view[: len(MAGIC)] != MAGIC or view[len(MAGIC)] not in VERSIONS:
        raise WireError("these bytes are no frame")
    if view[len(MAGIC)] == 1:
        require_length(view, HEADER.size)
        fields = HEADER.unpack_from(view)
        frame_id, length, start = fields[5], fields[12], HEADER.size
    else:
        _, _, count, length, _, _, frame_id, *_ = HEADER_2.unpack_from(view)
        start = HEADER_2.size + count * TENSOR.size
    return frame_id, _text(view[start : start + length])


def codec_of(data: Bytes) -> int:
    """The codec of the first tensor of a frame that `pack` has made: all of its tensors have the same."""
    if data[len(MAGIC)] == 1:
        return int(HEADER.unpack_from(data)[3])
    return int(TENSOR.unpack_from(data, HEADER_2.size)[0])


def deadline_of(data: Bytes) -> int:
    """The deadline in milliseconds that these bytes name before they are checked; 0 if they are too few."""
    form, place = (HEADER_2, 8) if data[len(MAGIC) : len(MAGIC) + 1] == b"\x02" else (HEADER, 7)
    return int(form.unpack_from(data)[place]) if len(data) >= form.size else 0


def _unpack_one(view: memoryview) -> Frame:
    require_length(view, HEADER.size)
    (_, _, rank, codec_id, fingerprint, frame_id, capture_time_ns, deadline_ms, d0, d1, d2, d3,
     name_length, reserved, params_length, payload_length, crc) = HEADER.unpack_from(view)  # fmt: skip
    check_sizes(name_length, [params_length], [payload_length])
    check_whole(view, HEADER.size, name_length + params_length + payload_length, crc, reserved)
    shape = shape_of(rank, (d0, d1, d2, d3))
    check_shapes([shape])
    name, params, payload = _sections(view, HEADER.size, [name_length, params_length, payload_length])
    tensor = EncodedTensor(codec_id, shape, bytes(params), payload)
    return Frame(_text(name), (tensor,), fingerprint, frame_id, capture_time_ns, deadline_ms)


def _unpack_several(view: memoryview) -> Frame:
    require_length(view, HEADER_2.size)
    (_, _, count, name_length, reserved, fingerprint, frame_id, capture_time_ns, deadline_ms, crc) = (
        HEADER_2.unpack_from(view)
    )
    check_count(count)
    start = HEADER_2.size + count * TENSOR.size
    require_length(view, start)
    rows = list(TENSOR.iter_unpack(view[HEADER_2.size : start]))
    lengths = [(row[-2], row[-1]) for row in rows]
    check_sizes(name_length, [params for params, _ in lengths], [payload for _, payload in lengths])
    # The table is part of what follows the header.
    rest = start - HEADER_2.size + name_length + sum(params + payload for params, payload in lengths)
    check_whole(view, HEADER_2.size, rest, crc, reserved or next((row[2] for row in rows if row[2]), 0))
    shapes = [shape_of(rank, dimensions) for _, rank, _, *dimensions, _, _ in rows]
    check_shapes(shapes)
    name, *sections = _sections(view, start, [name_length, *(size for pair in lengths for size in pair)])
    tensors = tuple(
        EncodedTensor(row[0], shape, bytes(params), payload)
        for row, shape, params, payload in zip(rows, shapes, sections[::2], sections[1::2], strict=True)
    )
    return Frame(_text(name), tensors, fingerprint, frame_id, capture_time_ns, deadline_ms)


def _sections(view: memoryview, start: int, lengths: Sequence[int]) -> list[memoryview]:
    sections = []
    for length in lengths:
        sections.append(view[start : start + length])
        start += length
    return sections


def _text(name: memoryview) -> str:
    try:
        return str(name, "utf-8")
    except UnicodeDecodeError:
        raise WireError("the split point's name is not UTF-8") from None
