"""A second reader of the wire format, written from shared/wire/WIRE.md: nothing of the project is imported.

Short rather than fast. Where it and the project's codecs disagree, either one of them is wrong or the page is incomplete.
"""

from __future__ import annotations

import hashlib
import io
import json
import struct
import zlib
from math import prod
from types import SimpleNamespace as Frame

import numpy as np
import zstandard
from PIL import Image
from safetensors.numpy import load as load_arrays

HEADER, HEADER_2 = struct.Struct("<4sBBH8sQQI4HBBHII"), struct.Struct("<4sBBBB8sQQII")
ROW = struct.Struct("<HBB4HHI")
DTYPES = {1: "<f4", 2: "<f4", 3: "<f2", 4: "<f2", 5: "u1", 6: "u1", 7: "u1", 8: "u1", 64: "u1"}


def unpack(data: bytes) -> Frame:
    """The frame, with its `tensors`; AssertionError for bytes that the page forbids."""
    assert data[:4] == b"SDNF" and data[4] in (1, 2)
    if data[4] == 1:
        size, start = HEADER.size, HEADER.size
        _, _, rank, codec, fingerprint, frame_id, time, deadline, *rest = HEADER.unpack_from(data)
        *dimensions, name, reserved, params, payload, crc = rest
        rows = [(codec, rank, 0, *dimensions, params, payload)]
    else:
        _, _, count, name, reserved, fingerprint, frame_id, time, deadline, crc = HEADER_2.unpack_from(data)
        assert 1 <= count <= 6
        size, start = HEADER_2.size, HEADER_2.size + count * ROW.size
        rows = list(ROW.iter_unpack(data[size:start]))
    assert reserved == 0 and name <= 64
    assert sum(row[-2] for row in rows) <= 4096 and sum(row[-1] for row in rows) <= 67108864
    assert len(data) == start + name + sum(row[-2] + row[-1] for row in rows)
    assert crc == zlib.crc32(data[size:], zlib.crc32(data[: size - 4]))
    split_point, start, tensors = data[start : start + name].decode(), start + name, []
    for codec, rank, reserved, *dimensions, params, payload in rows:
        shape, middle = tuple(dimensions[:rank]), start + params
        assert reserved == 0 and 1 <= rank <= 4 and all(shape) and not any(dimensions[rank:])
        tensors.append(
            Frame(
                codec=codec, shape=shape, params=data[start:middle], payload=data[middle : middle + payload]
            )
        )
        start = middle + payload
    assert sum(prod(tensor.shape) for tensor in tensors) <= 16777216
    if len(tensors) > 1:
        assert all(tensor.codec < 64 for tensor in tensors)
        assert all(len({tensor.codec == each for tensor in tensors}) == 1 for each in (16, 17))
    return Frame(fingerprint=fingerprint, frame_id=frame_id, capture_time=time, deadline=deadline, split_point=split_point,
                 tensors=tensors)  # fmt: skip


def decode(frame: Frame, profile: bytes = b"", states: dict | None = None) -> list[np.ndarray]:
    """The arrays: float32, or uint8 of a picture. `profile` is the file that a calibrated frame names; `states` are a stream's, by tensor."""
    if frame.tensors[0].codec in (16, 17):
        return calibrated(frame.tensors, profile, {} if states is None else states)
    return [decode_one(tensor.codec, tensor.params, tensor.payload, tensor.shape) for tensor in frame.tensors]


def decode_one(codec: int, params: bytes, payload: bytes, shape: tuple) -> np.ndarray:
    assert len(params) == {5: 5, 6: 5, 7: 5, 8: 5}.get(codec, 0)
    if codec > 64:
        array = np.asarray(Image.open(io.BytesIO(payload)))
        assert array.shape == shape
        return array
    dtype = np.dtype(DTYPES[codec])
    if codec in (2, 4, 6, 8):
        assert zstandard.frame_content_size(payload) == prod(shape) * dtype.itemsize
        payload = zstandard.ZstdDecompressor().decompress(payload, allow_extra_data=False)
    array = np.frombuffer(payload, dtype).reshape(shape)
    if codec in (5, 6, 7, 8):
        scale, zero_point = struct.unpack("<fB", params)
        return (array.astype(np.float32) - np.float32(zero_point)) * np.float32(scale)
    assert codec == 64 or np.isfinite(array).all()
    return array if codec == 64 else array.astype(np.float32)


class Coder:
    """The decoder of asymmetric numeral systems."""

    def __init__(self, payload: bytes) -> None:
        self.words, self.state = np.frombuffer(payload, "<u4").tolist(), 0
        assert not self.words or self.words[-1]
        self.refill()

    def refill(self) -> None:
        while self.state < 1 << 32 and self.words:
            self.state = self.state << 32 | self.words.pop()

    def read(self, frequencies: list[int]) -> int:
        free = (1 << 24) - len(frequencies)
        starts = [(sum(frequencies[:k]) * free >> 16) + k for k in range(len(frequencies))] + [1 << 24]
        high, low = divmod(self.state, 1 << 24)
        symbol = max(k for k in range(len(frequencies)) if starts[k] <= low)
        self.state = high * (starts[symbol + 1] - starts[symbol]) + low - starts[symbol]
        self.refill()
        return symbol


def calibrated(tensors: list[Frame], profile: bytes, states: dict) -> list[np.ndarray]:
    """The arrays of a frame of codec 16 or 17."""
    needed = [tensor.params[-4:] if tensor.codec == 17 else b"" for tensor in tensors]
    name = hashlib.sha256(profile).digest()[:16]
    assert [tensor.params for tensor in tensors] == [name + needed[0], *needed[1:]]
    before = [states.pop(number, None) if any(hash_) else None for number, hash_ in enumerate(needed)]
    assert all(not any(hash_) or was.hash == hash_ for hash_, was in zip(needed, before, strict=True))
    strings = json.loads(profile[8 : 8 + int.from_bytes(profile[:8], "little")])["__metadata__"]
    assert strings["shape"] == ";".join(",".join(map(str, tensor.shape)) for tensor in tensors)
    arrays, found = load_arrays(profile), []
    for number, tensor in enumerate(tensors):
        prefix = f"{number}." if len(tensors) > 1 else ""
        own = {name.removeprefix(prefix): array for name, array in arrays.items() if name.startswith(prefix)}
        about = {key: strings[key].split(";")[number] for key in ("levels", "groups", "signed", "pooled")}
        array, states[number] = calibrated_one(tensor.payload, tensor.shape, about, own, before[number])
        found.append(array)
    return found


def calibrated_one(payload: bytes, shape: tuple, about: dict, arrays: dict, before: Frame | None) -> tuple:
    """The array, and the state that it leaves."""
    whole = (1, 1, *shape) if len(shape) == 1 else (1, *shape) if len(shape) == 2 else (*shape[1:], shape[0])
    whole = (*shape[:2], prod(shape[2:])) if len(shape) == 4 else whole
    grid = (1, 1, whole[2]) if about["pooled"] == "1" else whole
    read = symbols(payload, about, arrays, grid, before)
    found = np.broadcast_to(values(*read, arrays), whole)
    return (found.transpose(2, 0, 1) if len(shape) == 3 else found).reshape(shape), state_of(*read, before)


def state_of(magnitudes: np.ndarray, negative: np.ndarray | None, before: Frame | None) -> Frame:
    crc, some = int.from_bytes(before.hash, "little") if before else 0, magnitudes > 0
    for symbols_of in (magnitudes,) if negative is None else (magnitudes, negative):
        crc = zlib.crc32(symbols_of.astype("u1").tobytes(), crc)
    heat, unrest = before.heat if before else 255 * some, np.full(magnitudes.shape[:2], 5)
    heat = np.where(some, 255 - 3 * (255 - heat) // 4, 3 * heat // 4)
    if before:
        was = before.magnitudes > 0
        counts = [np.sum(each, 2)[:, :, None] for each in (some != was, some.astype(int) + was)]
        changed, all_ = ((3 * each + neighbours(each, 1, 1))[:, :, 0] for each in counts)
        unrest = sum((100 * changed > percent * all_).astype(int) for percent in (4, 10, 20, 33))
    hash_ = (crc or 1).to_bytes(4, "little")
    return Frame(magnitudes=magnitudes, negative=negative, heat=heat, unrest=unrest, hash=hash_)


def contexts_of(state: Frame) -> np.ndarray:
    m = np.minimum(state.magnitudes, 2)
    near = np.digitize(neighbours(m, 1, 0), (1, 3))
    return m + 3 * np.digitize(state.heat, (16, 64, 128, 192, 240)) + 18 * near


def symbols(payload: bytes, about: dict, arrays: dict, grid: tuple, before: Frame | None) -> tuple:
    """Magnitudes and which are negative (None: no tensor of this profile has signs), (rows, columns, channels)."""
    coder, signed, groups = Coder(payload), about["signed"] == "1", int(about["groups"])
    magnitudes, negative = np.zeros(grid, int), np.zeros(grid, bool)
    colour = np.add.outer(np.arange(grid[0]), np.arange(grid[1])) % 2
    for s in range(2 * groups):
        first, last = (i * grid[2] // groups for i in (s // 2, s // 2 + 1))
        at = [(r, k, c) for r, k in np.argwhere(colour == s % 2) for c in range(first, last)]
        classes = classes_of(s, np.minimum(magnitudes, 2), arrays, first, last) if at else None
        if at and before:
            contexts = contexts_of(before)[:, :, first:last]
            classes = arrays[f"inter.{s}.classes"][before.unrest[:, :, None], contexts, classes]
        for r, k, c in sorted(at, key=lambda p: classes[p[0], p[1], p[2] - first]):
            ladder = int(arrays["inter.ladder" if before else "ladder"][classes[r, k, c - first]])
            magnitudes[r, k, c] = coder.read([65536 - ladder, ladder])
        coded = [place for place in at if magnitudes[place]]
        if int(about["levels"]) > 2:
            tables, rows = following(before, arrays) if before else table_of(magnitudes, arrays, s % 2)
            for r, k, c in sorted(coded, key=lambda p: tables[p]):
                magnitudes[r, k, c] += coder.read(rows[tables[r, k, c]].tolist())
        signs = (
            np.where(before.magnitudes > 0, 1 + before.negative, 0) if before and signed else magnitudes * 0
        )
        for place in sorted(coded, key=lambda p: signs[p]) if signed else ():
            share = int(arrays["inter.signs"][signs[place]]) if before else 32768
            negative[place] = coder.read([65536 - share, share])
    assert coder.state == 0 and not coder.words
    return magnitudes, negative if signed else None


def table_of(magnitudes: np.ndarray, arrays: dict, light: int) -> tuple[np.ndarray, np.ndarray]:
    """The number of the table of each magnitude, (rows, columns, channels), and the tables."""
    tables, kinds = arrays["magnitudes"], np.zeros(magnitudes.shape, int) + arrays["magnitude_kind"]
    if tables.ndim == 2:
        return kinds, tables
    size = 1 + np.digitize(neighbours(magnitudes, 1, 0), (1, 2, 4, 7, 12, 20)) if light else 0
    return kinds * 8 + size, tables.reshape(-1, tables.shape[2])


def following(before: Frame, arrays: dict) -> tuple[np.ndarray, np.ndarray]:
    """The same for a frame that follows a known one."""
    kinds = 8 * arrays["magnitude_kind"].astype(int) + np.digitize(before.magnitudes, (1, 2, 3, 4, 5, 7, 10))
    return kinds, arrays["inter.magnitudes"].reshape(-1, arrays["inter.magnitudes"].shape[2])


def neighbours(m: np.ndarray, sides: int, corners: int) -> np.ndarray:
    """Sums over the eight neighbours, weighted; outside the grid all are 0."""
    padded, total = np.pad(m, ((1, 1), (1, 1), (0, 0))), np.zeros_like(m)
    for r, k in np.ndindex(3, 3):
        total += (corners, sides, 0)[(r == 1) + (k == 1)] * padded[r : r + len(m), k : k + m.shape[1]]
    return total


def classes_of(s: int, m: np.ndarray, arrays: dict, first: int, last: int) -> np.ndarray:
    """The classes of channels `first` to `last` - 1 in coding step s, (rows, columns, channels)."""
    names = ("same", "around", "beside", "up", "bias", "shift", "classes")
    same, around, beside, up, bias, shift, table = (arrays[f"context.{s}.{k}"].astype(int) for k in names)
    own = neighbours(m[:, :, first:last], 1, 0) * (s % 2)
    latent = m[:, :, :first] @ same + neighbours(m[:, :, :first], 2, 1) @ around
    latent += own @ beside if s % 2 else 0
    latent = np.clip(latent >> shift[0], -2047, 2047)
    prediction = np.clip((latent @ up + bias) >> shift[1], 0, 511)
    kinds = np.zeros(m.shape, int) + arrays["channel_kind"]
    return table[kinds[:, :, first:last], np.digitize(own, (1, 2, 3, 5)), prediction]


def values(magnitudes: np.ndarray, negative: np.ndarray | None, arrays: dict) -> np.ndarray:
    """float32 (rows, columns, channels)."""
    n = np.digitize(neighbours(np.minimum(magnitudes, 2), 2, 1), (1, 3, 5, 8))
    found = arrays["centroid"].astype(np.float32)[np.arange(magnitudes.shape[2]), n, magnitudes]
    found = found if negative is None else np.where(negative, -found, found)
    if "corrector_inputs" in arrays:
        found += correction(found, arrays, signed=negative is not None)
    found *= arrays["position_scale"][:, :, None] * arrays["step"]
    found += 0 if negative is None else arrays["offset"]
    if "corrector_bias" in arrays:
        down, up = (arrays[f"corrector_{name}"].astype(np.float32) for name in ("down", "up"))
        found += (found @ down) @ up + arrays["corrector_bias"]
    if "usual" in arrays:
        usual = np.where(magnitudes == 0, *arrays["usual"].astype(np.float32))
        found += usual * (arrays["position_scale"][:, :, None] * arrays["step"])
    return np.maximum(found, 0) if negative is None else found


def correction(units: np.ndarray, arrays: dict, *, signed: bool) -> np.ndarray:
    """That of the third format, of values in step sizes."""
    inputs, latent, outputs = (arrays[f"corrector_{name}"] for name in ("inputs", "latent", "outputs"))
    down, up = (arrays[f"corrector_{name}"].astype(int) for name in ("down", "up"))
    low, high, middle = (-63, 63, 64) if signed else (0, 127, 0)
    x = np.rint(np.clip(units * inputs, low, high)).astype(int) + middle
    z = np.rint(np.clip((x @ down).astype(np.float32) * latent[0] + latent[1], 0, 127)).astype(int)
    return (z @ up).astype(np.float32) * outputs[0] + outputs[1]
