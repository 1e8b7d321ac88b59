"""A frame: one encoded tensor on the wire. WIRE.md in this folder is the specification, this module implements it.

Sans-I/O: bytes in, frames out; no socket, torch, cv2, clock or environment. For all bytes, `unpack` returns a valid frame or
raises WireError and nothing else, in time and memory linear in sizes that are checked against the limits first.
"""

from __future__ import annotations

import struct
import zlib
from dataclasses import dataclass

from shared import limits
from shared.errors import ContentError, LimitError, WireError

Bytes = bytes | bytearray | memoryview

MAGIC = b"SDNF"
VERSION = 1

HEADER = struct.Struct("<4sBBH8sQQI4HBBHII")
"""magic, version, rank, codec, fingerprint, frame id, capture time, deadline, shape, split point length, reserved,
parameter length, payload length, CRC."""
assert HEADER.size == limits.HEADER_BYTES

_CRC_OFFSET = HEADER.size - 4


@dataclass(frozen=True, slots=True)
class Frame:
    """One encoded tensor, and what the receiver needs in order to answer it."""

    split_point: str
    codec_id: int
    shape: tuple[int, ...]
    """The tensor's shape without the batch dimension, or (H, W, 3) for a picture."""
    params: bytes
    payload: Bytes
    fingerprint: bytes
    """8 bytes that identify architecture, weights and recipe (shared/network/model.py)."""
    frame_id: int
    """64 bits, unique within a sender's lifetime and for a few days after it."""
    capture_time_ns: int
    """When the picture was taken: nanoseconds since 1970 by the sender's clock. Informative; never compared with another clock."""
    deadline_ms: int
    """How long the sender will wait, in milliseconds from the arrival of the header. 0: as long as the server allows."""


def pack(frame: Frame) -> bytes:
    """The frame as bytes. The payload is copied once. Raises WireError if a field is above its limit or does not fit its place."""
    name = _name_of(frame)
    check_limit("split point name", len(name), limits.MAX_SPLIT_POINT_BYTES)
    check_limit("parameters", len(frame.params), limits.MAX_PARAMS_BYTES)
    check_limit("payload", len(frame.payload), limits.MAX_PAYLOAD_BYTES)
    check_shape(frame.shape)
    shape = frame.shape + (0,) * (limits.MAX_RANK - len(frame.shape))
    if len(frame.fingerprint) != limits.FINGERPRINT_BYTES:  # struct would cut or fill it
        raise WireError(
            f"a fingerprint has {limits.FINGERPRINT_BYTES} bytes, this one {len(frame.fingerprint)}"
        )
    try:
        header = HEADER.pack(
            MAGIC, VERSION, len(frame.shape), frame.codec_id, frame.fingerprint, frame.frame_id, frame.capture_time_ns,
            frame.deadline_ms, *shape, len(name), 0, len(frame.params), len(frame.payload), 0,
        )  # fmt: skip
    except struct.error as error:
        raise WireError(
            f"codec {frame.codec_id}, frame id {frame.frame_id}, capture time {frame.capture_time_ns} ns, deadline "
            f"{frame.deadline_ms} ms, shape {frame.shape}: one of them does not fit its field ({error})"
        ) from None
    crc = zlib.crc32(header[:_CRC_OFFSET])
    for part in (name, frame.params, frame.payload):
        crc = zlib.crc32(part, crc)
    return b"".join((header[:_CRC_OFFSET], struct.pack("<I", crc), name, frame.params, frame.payload))


def _name_of(frame: Frame) -> bytes:
    try:
        return frame.split_point.encode()
    except UnicodeEncodeError:
        raise WireError(f"the split point's name {frame.split_point!a} is not UTF-8") from None


def unpack(data: Bytes) -> Frame:
    """The frame that these bytes are; its payload is a view of them. Raises WireError."""
    view = memoryview(data)
    if len(view) < HEADER.size:
        raise WireError(f"a frame has a header of {HEADER.size} bytes, these are {len(view)} bytes")
    (magic, version, rank, codec_id, fingerprint, frame_id, capture_time_ns, deadline_ms, d0, d1, d2, d3,
     name_length, reserved, params_length, payload_length, crc) = HEADER.unpack_from(view)  # fmt: skip
    if magic != MAGIC:
        raise WireError(f"a frame starts with {MAGIC!r}, these bytes with {magic!r}")
    if version != VERSION:
        raise WireError(f"frame version {version} is not supported", accepted={"versions": [VERSION]})
    check_limit("split point name", name_length, limits.MAX_SPLIT_POINT_BYTES)
    check_limit("parameters", params_length, limits.MAX_PARAMS_BYTES)
    check_limit("payload", payload_length, limits.MAX_PAYLOAD_BYTES)
    expected = HEADER.size + name_length + params_length + payload_length
    if len(view) != expected:
        raise WireError(f"the header declares a frame of {expected} bytes, these are {len(view)} bytes")
    if zlib.crc32(view[HEADER.size :], zlib.crc32(view[:_CRC_OFFSET])) != crc:
        raise WireError("the CRC does not match: the frame was damaged in transit")
    if reserved:
        raise WireError(f"reserved bits are set ({reserved:#x}); accepted: 0")
    if not 1 <= rank <= limits.MAX_RANK:
        raise WireError(f"rank {rank} is not a tensor's; accepted: 1 to {limits.MAX_RANK}")
    dimensions = (d0, d1, d2, d3)
    if any(dimensions[rank:]):
        raise WireError(f"a shape of rank {rank} has more than {rank} dimensions: {dimensions}")
    shape = dimensions[:rank]
    check_shape(shape)
    params_start = HEADER.size + name_length
    payload_start = params_start + params_length
    try:
        split_point = str(view[HEADER.size : params_start], "utf-8")
    except UnicodeDecodeError:
        raise WireError("the split point's name is not UTF-8") from None
    return Frame(
        split_point,
        codec_id,
        shape,
        bytes(view[params_start:payload_start]),
        view[payload_start:],
        fingerprint,
        frame_id,
        capture_time_ns,
        deadline_ms,
    )


def check_limit(what: str, size: int, limit: int) -> None:
    """Raise LimitError if `size` bytes are above `limit`."""
    if size > limit:
        raise LimitError(
            f"{what} of {size} bytes is above the limit of {limit}", accepted={"max_bytes": limit}
        )


def check_shape(shape: tuple[int, ...]) -> None:
    """Raise ContentError for a shape that no tensor has, LimitError for one with too many elements."""
    count = 1
    for dimension in shape:
        count *= dimension
    if not 1 <= len(shape) <= limits.MAX_RANK or count == 0 or max(shape) > limits.MAX_DIMENSION:
        raise ContentError(
            f"shape {shape} is not a tensor's; accepted: 1 to {limits.MAX_RANK} dimensions of 1 to {limits.MAX_DIMENSION}"
        )
    if count > limits.MAX_ELEMENTS:
        raise LimitError(
            f"shape {shape} has {count} elements", accepted={"max_elements": limits.MAX_ELEMENTS}
        )
