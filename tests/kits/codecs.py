"""Sample arrays, and frames made by a codec or by hand."""

from __future__ import annotations

import struct
import zlib
from dataclasses import replace
from typing import Any

import numpy as np

from shared.codecs import CODECS, Codec, encode_frame
from shared.codecs.calibrated.codec import Calibrated
from shared.codecs.symbols import at_point
from shared.network.grid import Grid
from shared.network.partition import SplitPoint
from shared.wire import frame as wire

FINGERPRINT = bytes(range(8))
# `calibrated` and `calibrated-inter` decode with a profile only: tests/unit/shared/codecs/calibrated/.
TENSOR_CODECS = [
    codec for codec in CODECS.values() if codec.carries == "tensor" and not isinstance(codec, Calibrated)
]
PICTURE_CODECS = [codec for codec in CODECS.values() if codec.carries == "picture" and not codec.inter]
VIDEO_CODECS = [codec for codec in CODECS.values() if codec.carries == "picture" and codec.inter]
SYMBOL_CODECS = [codec for codec in CODECS.values() if codec.carries == "symbols"]

GRID = Grid(0.03125, 128)
"""The one of `sample`, for the codecs that carry what a network has quantised itself."""


def ready(codec: Codec) -> Codec:
    """The codec, told the grid of what it carries if it needs one."""
    point = SplitPoint("layer3", ((4, 3, 5),), 1, 1, (GRID,))
    return at_point(codec, point) if codec.carries == "symbols" else codec


def name_of(codec: Codec) -> str:
    """For pytest's ids."""
    return codec.name


def tensor(shape: tuple[int, ...] = (4, 3, 5), seed: int = 0) -> np.ndarray:
    """Signed float32 values of a usual size, the same for the same seed."""
    return np.random.default_rng(seed).normal(0, 2, shape).astype(np.float32)


def picture(height: int = 8, width: int = 8, seed: int = 0) -> np.ndarray:
    """A smooth uint8 RGB picture, so that JPEG has something to do."""
    rows, columns = np.mgrid[0:height, 0:width]
    phase = 17 * seed
    channels = [(8 * rows + phase) % 256, (6 * columns + 40) % 256, (4 * (rows + columns) + 90) % 256]
    return np.stack(channels, axis=-1).astype(np.uint8)


def sample(codec: Codec, seed: int = 0) -> np.ndarray:
    """An array that `codec` carries."""
    return picture(seed=seed) if codec.carries == "picture" else tensor(seed=seed)


def there_and_back(codec: Codec, array: np.ndarray) -> np.ndarray:
    """`array` encoded and decoded."""
    params, payload = ready(codec).encode(array)
    assert isinstance(params, bytes)
    assert isinstance(payload, bytes)
    return codec.decode(params, payload, array.shape)


def frame_of(codec: Codec, array: np.ndarray | None = None, **changes: Any) -> wire.Frame:
    """`array` (or a sample) as a frame, with fields replaced."""
    array = sample(codec) if array is None else array
    frame = encode_frame(
        [array], ready(codec), split_point="layer3", fingerprint=FINGERPRINT, frame_id=7, deadline_ms=500
    )
    return changed(frame, **changes)


def changed(frame: wire.Frame, number: int = 0, **changes: Any) -> wire.Frame:
    """The frame with fields replaced, its own or those of its tensor of this number."""
    ours = {name: value for name, value in changes.items() if name in wire.EncodedTensor.__slots__}
    tensors = list(frame.tensors)
    tensors[number] = replace(tensors[number], **ours)
    others = {name: value for name, value in changes.items() if name not in ours}
    return replace(frame, **({"tensors": tuple(tensors)} | others))


def forge(*, sections: bytes = b"", **fields: Any) -> bytes:
    """A frame made by hand, with any field as a liar would set it and a CRC that is right unless given.

    Unless told otherwise the header is that of one float32 number at split point `a`.
    """
    name, payload = b"a", struct.pack("<f", 1.5)
    values: dict[str, Any] = {
        "magic": wire.MAGIC, "version": 1, "rank": 1, "codec": 1, "fingerprint": FINGERPRINT, "frame_id": 7,
        "capture_time_ns": 0, "deadline_ms": 0, "shape": (1, 0, 0, 0), "name_length": len(name), "reserved": 0,
        "params_length": 0, "payload_length": len(payload), "crc": 0,
    }  # fmt: skip
    assert not fields.keys() - values.keys()
    values |= fields
    shape = values.pop("shape")
    flat = [*list(values.values())[:8], *shape, *list(values.values())[8:]]
    data = wire.HEADER.pack(*flat) + (sections or name + payload)
    return data if "crc" in fields else with_right_crc(data)


def with_right_crc(data: bytes) -> bytes:
    """The same bytes with the checksum that fits them, so that a reader goes on to what lies behind it."""
    size = wire.HEADER_2.size if data[4:5] == b"\2" else wire.HEADER.size
    if len(data) < size:
        return data
    crc = zlib.crc32(data[size:], zlib.crc32(data[: size - 4]))
    return data[: size - 4] + struct.pack("<I", crc) + data[size:]
