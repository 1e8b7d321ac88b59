"""The two messages of the Open Inference Protocol's gRPC form that a request needs, without a package for protocol buffers.

https://github.com/kserve/open-inference-protocol, `ModelInferRequest` and `ModelInferResponse`; tensors travel as raw bytes.
"""

from __future__ import annotations

from typing import TYPE_CHECKING, NamedTuple

if TYPE_CHECKING:
    from collections.abc import Iterator, Sequence

METHOD = "/inference.GRPCInferenceService/ModelInfer"
_MODEL_NAME, _INPUTS, _RAW_INPUTS = 1, 5, 7
_OUTPUTS, _RAW_OUTPUTS = 5, 6
_NAME, _TYPE, _SHAPE, _CONTENTS = 1, 2, 3, 5
_FLOATS = 6
_VARINT, _EIGHT_BYTES, _BYTES, _FOUR_BYTES = 0, 1, 2, 5
_WIDTHS = {_EIGHT_BYTES: 8, _FOUR_BYTES: 4}


class Given(NamedTuple):
    """One input."""

    name: str
    datatype: str
    """`FP32`, `UINT8` …"""
    shape: Sequence[int]
    data: bytes


def request(model: str, inputs: Sequence[Given]) -> bytes:
    """A `ModelInferRequest`."""
    parts = [_field(_MODEL_NAME, model.encode())]
    for each in inputs:
        shape = b"".join(map(_varint, each.shape))
        tensor = (
            _field(_NAME, each.name.encode()) + _field(_TYPE, each.datatype.encode()) + _field(_SHAPE, shape)
        )
        parts.append(_field(_INPUTS, tensor))
    return b"".join(parts + [_field(_RAW_INPUTS, each.data) for each in inputs])


def first_output(message: bytes) -> bytes:
    """The bytes of the first output of a `ModelInferResponse`. Raises ValueError without one."""
    written = b""
    for number, value in _fields(message):
        if number == _RAW_OUTPUTS:
            return value
        if number == _OUTPUTS and not written:
            contents = [each for field, each in _fields(value) if field == _CONTENTS]
            written = b"".join(each for part in contents for field, each in _fields(part) if field == _FLOATS)
    if not written:
        raise ValueError("an answer without an output")
    return written


def _field(number: int, value: bytes) -> bytes:
    return _varint(number << 3 | _BYTES) + _varint(len(value)) + value


def _varint(value: int) -> bytes:
    found = bytearray()
    while value > 127:
        found.append(value & 127 | 128)
        value >>= 7
    return bytes([*found, value])


def _fields(message: bytes) -> Iterator[tuple[int, bytes]]:
    """Number and bytes of each field that has a length; the others are skipped. Raises ValueError."""
    place = 0
    while place < len(message):
        key, place = _read_varint(message, place)
        kind = key & 7
        if kind == _VARINT:
            _, place = _read_varint(message, place)
        elif kind in _WIDTHS:
            place += _WIDTHS[kind]
        elif kind == _BYTES:
            length, place = _read_varint(message, place)
            if place + length > len(message):
                raise ValueError("a field beyond the message's end")
            yield key >> 3, message[place : place + length]
            place += length
        else:
            raise ValueError(f"a field of wire type {kind}")


def _read_varint(message: bytes, place: int) -> tuple[int, int]:
    value = shift = 0
    while place < len(message) and shift < 64:
        byte = message[place]
        value |= (byte & 127) << shift
        place, shift = place + 1, shift + 7
        if byte < 128:
            return value, place
    raise ValueError("a number without an end")
