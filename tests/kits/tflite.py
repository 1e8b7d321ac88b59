"""TensorFlow Lite files, with metadata and labels as its own tools write them."""

from __future__ import annotations

import io
import struct
import zipfile
from dataclasses import dataclass
from typing import TYPE_CHECKING, TypeAlias

if TYPE_CHECKING:
    from collections.abc import Mapping

_RELU = 19
FLOAT32, UINT8, INT8 = 0, 3, 9


@dataclass
class Numbers:
    """A vector of numbers."""

    form: str
    values: tuple[float, ...]


Field: TypeAlias = "bytes | str | Numbers | list[Table] | Table"
"""A number as it lies in the file, a text, a vector of numbers, of tables, or a table."""
Table: TypeAlias = "dict[int, Field]"


def flatbuffer(table: Table, identifier: bytes) -> bytes:
    """A flatbuffer with this root. Whatever a table names comes after it."""
    data = bytearray(4) + identifier
    _link(data, 0, table)
    return bytes(data)


def _link(data: bytearray, at: int, value: Field) -> None:
    """Append `value` and write its offset at `at`."""
    if isinstance(value, dict):
        start = _table(data, value)
    else:
        data += bytes(-(len(data) + 4) % 8)
        start = len(data)
        if isinstance(value, list):
            data += struct.pack("<I", len(value)) + bytes(4 * len(value))
            for index, item in enumerate(value):
                _link(data, start + 4 + 4 * index, item)
        elif isinstance(value, Numbers):
            data += struct.pack(f"<I{len(value.values)}{value.form}", len(value.values), *value.values)
        else:
            text = value.encode() if isinstance(value, str) else value
            data += struct.pack("<I", len(text)) + text + bytes(1)
    struct.pack_into("<I", data, at, start - at)


def _table(data: bytearray, fields: Mapping[int, Field]) -> int:
    count = max(fields, default=-1) + 1
    data += bytes(-(len(data) + 4 + 2 * count) % 4)
    offsets = [4 + 4 * index if index in fields else 0 for index in range(count)]
    data += struct.pack(f"<HH{count}H", 4 + 2 * count, 4 + 4 * count, *offsets)
    start = len(data)
    data += struct.pack("<i", 4 + 2 * count) + bytes(4 * count)
    for index, value in fields.items():
        at = start + 4 + 4 * index
        if isinstance(value, bytes):
            data[at : at + len(value)] = value
        else:
            _link(data, at, value)
    return start


def metadata(mean: tuple[float, ...], std: tuple[float, ...], labels: str = "labels.txt") -> bytes:
    """A normalisation of the first input, and the name of the labels of the first output."""
    unit: Table = {0: bytes([1]), 1: {0: Numbers("f", mean), 1: Numbers("f", std)}}
    given: Table = {0: "image", 4: [unit]}
    answer: Table = {0: "probability", 6: [{0: labels, 2: bytes([2])}]}
    return flatbuffer({0: "network", 3: [{2: [given], 3: [answer]}]}, b"M001")


def relu(
    *,
    kind: int = FLOAT32,
    quantised: tuple[float, int] | None = None,
    said: bytes | None = None,
    files: Mapping[str, str] | None = None,
    compression: int = zipfile.ZIP_DEFLATED,
) -> bytes:
    """A network of one ReLU for pictures (1, 8, 8, 3). `quantised`: its input's step and zero; `said`: its metadata; `files`: in the archive."""
    tensor: Table = {0: Numbers("i", (1, 8, 8, 3)), 1: bytes([kind])}
    if quantised is not None:
        tensor[4] = {2: Numbers("f", quantised[:1]), 3: Numbers("q", quantised[1:])}
    operator: Table = {1: Numbers("i", (0,)), 2: Numbers("i", (1,))}
    graph: Table = {
        0: [{**tensor, 3: "given"}, {**tensor, 3: "answer"}],
        1: Numbers("i", (0,)),
        2: Numbers("i", (1,)),
        3: [operator],
    }
    model: Table = {
        0: struct.pack("<I", 3),
        1: [{0: bytes([_RELU]), 3: struct.pack("<i", _RELU)}],
        2: [graph],
        4: [{}],
    }
    if said is not None:
        model[4] = [{}, {0: Numbers("B", tuple(said))}]
        model[6] = [
            {0: "min_runtime_version", 1: struct.pack("<I", 0)},
            {0: "TFLITE_METADATA", 1: struct.pack("<I", 1)},
        ]
    whole = io.BytesIO(flatbuffer(model, b"TFL3"))
    if files is not None:
        with zipfile.ZipFile(whole, "a", compression) as archive:
            for name, text in files.items():
                archive.writestr(name, text)
    return whole.getvalue()
