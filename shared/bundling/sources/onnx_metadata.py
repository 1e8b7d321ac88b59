"""The metadata of an ONNX file, which OpenVINO does not pass on.

An ONNX file is one protobuf message, ModelProto. Of its fields only those with text are read; the graph is skipped, so it costs no
memory, and the package `onnx` is not needed.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, BinaryIO

if TYPE_CHECKING:
    from pathlib import Path

_PRODUCER, _VERSION, _METADATA = 2, 3, 14  # field numbers of ModelProto; onnx.proto
_KEY, _VALUE = 1, 2  # of StringStringEntryProto
_LENGTH_PREFIXED = 2
_FIXED_BYTES = {1: 8, 5: 4}
_MAX_TEXT_BYTES = 4 << 20
_MAX_ENTRIES = 1000


def read_onnx_metadata(path: Path) -> dict[str, str]:
    """The file's `metadata_props`, and its producer under `producer`. Empty for a file that is not of this form."""
    found: dict[str, str] = {}
    try:
        with path.open("rb") as file:
            size = path.stat().st_size
            while file.tell() < size and len(found) < _MAX_ENTRIES:
                field, kind = divmod(_varint(file), 8)
                if kind != _LENGTH_PREFIXED:
                    _skip(file, kind)
                    continue
                length = _varint(file)
                if field in (_PRODUCER, _VERSION, _METADATA) and length <= _MAX_TEXT_BYTES:
                    _take(found, field, file.read(length))
                else:
                    file.seek(length, 1)
    except (OSError, ValueError, EOFError):
        return {}
    return found


def _take(found: dict[str, str], field: int, data: bytes) -> None:
    if field == _PRODUCER:
        found["producer"] = data.decode("utf-8", "replace")
    elif field == _VERSION:
        found["producer"] = f"{found.get('producer', '')} {data.decode('utf-8', 'replace')}".strip()
    else:
        entry = dict(_texts(data))
        if _KEY in entry:
            found[entry[_KEY]] = entry.get(_VALUE, "")


def _texts(data: bytes) -> list[tuple[int, str]]:
    """The text fields of a small message."""
    position = 0
    found = []
    while position < len(data):
        tag, position = _varint_at(data, position)
        field, kind = divmod(tag, 8)
        if kind != _LENGTH_PREFIXED:
            raise ValueError(f"a field of kind {kind} in an entry of text")
        length, position = _varint_at(data, position)
        found.append((field, data[position : position + length].decode("utf-8", "replace")))
        position += length
    return found


def _varint(file: BinaryIO) -> int:
    value = 0
    for shift in range(0, 70, 7):
        byte = file.read(1)
        if not byte:
            raise EOFError
        value |= (byte[0] & 0x7F) << shift
        if byte[0] < 0x80:
            return value
    raise ValueError("a number of more than ten bytes")


def _varint_at(data: bytes, position: int) -> tuple[int, int]:
    value = 0
    for shift, byte in enumerate(data[position : position + 10]):
        value |= (byte & 0x7F) << 7 * shift
        if byte < 0x80:
            return value, position + shift + 1
    raise ValueError("a number that does not end")


def _skip(file: BinaryIO, kind: int) -> None:
    if kind == 0:
        _varint(file)
    elif kind in _FIXED_BYTES:
        file.seek(_FIXED_BYTES[kind], 1)
    else:
        raise ValueError(f"a field of kind {kind}")
