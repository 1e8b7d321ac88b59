"""Frames of several tensors: of a codec, of several codecs, and made by hand."""

from __future__ import annotations

import struct
from typing import TYPE_CHECKING, Any

from kits.codecs import FINGERPRINT, TENSOR_CODECS, tensor, with_right_crc

from shared.codecs import NAMES, Codec, encode_frame
from shared.wire import frame as wire

if TYPE_CHECKING:
    from collections.abc import Sequence

    import numpy as np

SHAPES = ((4, 3, 5), (2, 2, 2), (7,))
FIELDS: dict[str, Any] = {
    "split_point": "neck",
    "fingerprint": FINGERPRINT,
    "frame_id": 7,
    "deadline_ms": 500,
}


def tensors(shapes: Sequence[tuple[int, ...]] = SHAPES, seed: int = 0) -> list[np.ndarray]:
    """Signed float32 values, of which each tensor has its own."""
    return [tensor(shape, seed=seed + 100 * number) for number, shape in enumerate(shapes)]


def frame_of_several(codec: Codec, crossing: Sequence[np.ndarray] = (), **fields: Any) -> wire.Frame:
    """A crossing, or `tensors()`, as a frame."""
    return encode_frame(list(crossing) or tensors(), codec, **FIELDS | fields)


def mixed() -> wire.Frame:
    """One tensor for each codec for tensors, each in its own."""
    parts = [
        encode_frame([array], codec, **FIELDS)
        for codec, array in zip(TENSOR_CODECS, tensors([(2, 3)] * 6), strict=True)
    ]
    return wire.Frame("neck", tuple(part.tensors[0] for part in parts), FINGERPRINT, 7, 0, 500)


def row(**fields: int | Sequence[int]) -> bytes:
    """A row of the table, as a liar would write it; that of one float32 number unless told otherwise."""
    values: dict[str, Any] = {
        "codec": NAMES["float32"].id, "rank": 1, "reserved": 0, "shape": (1, 0, 0, 0), "params_length": 0, "payload_length": 4,
    }  # fmt: skip
    assert not fields.keys() - values.keys()
    codec, rank, reserved, shape, params, payload = (values | fields).values()
    return wire.TENSOR.pack(codec, rank, reserved, *shape, params, payload)


def forge_several(*rows: bytes, sections: bytes | None = None, **fields: Any) -> bytes:
    """A frame of version 2 made by hand, with any field as a liar would set it and a CRC that is right unless given.

    Unless told otherwise it holds two float32 numbers, 1.5 and 2.5, at split point `a`.
    """
    rows = rows or (row(), row())
    values: dict[str, Any] = {
        "magic": wire.MAGIC, "version": 2, "count": len(rows), "name_length": 1, "reserved": 0, "fingerprint": FINGERPRINT,
        "frame_id": 7, "capture_time_ns": 0, "deadline_ms": 0, "crc": 0,
    }  # fmt: skip
    assert not fields.keys() - values.keys()
    header = wire.HEADER_2.pack(*(values | fields).values())
    sections = b"a" + struct.pack("<ff", 1.5, 2.5) if sections is None else sections
    data = header + b"".join(rows) + sections
    return data if "crc" in fields else with_right_crc(data)
