"""The text of ONNX files, read without the package."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from shared.bundling.sources.onnx_metadata import read_onnx_metadata

if TYPE_CHECKING:
    from pathlib import Path


def _field(number: int, data: bytes) -> bytes:
    return _varint(number * 8 + 2) + _varint(len(data)) + data


def _varint(value: int) -> bytes:
    found = bytearray()
    while value >= 0x80:
        found.append(value & 0x7F | 0x80)
        value >>= 7
    return bytes([*found, value])


def _entry(key: str, value: str) -> bytes:
    return _field(14, _field(1, key.encode()) + _field(2, value.encode()))


_IR_VERSION = b"\x08\x08"
_GRAPH = _field(7, b"\xff" * 1000)


def test_entries_and_producer(tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    path.write_bytes(
        _IR_VERSION
        + _field(2, b"pytorch")
        + _field(3, b"2.1")
        + _GRAPH
        + _entry("names", "{0: 'ü'}")
        + _entry("none", "")
    )
    assert read_onnx_metadata(path) == {"producer": "pytorch 2.1", "names": "{0: 'ü'}", "none": ""}


def test_what_is_no_such_file_has_none(tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    whole = _IR_VERSION + _GRAPH + _entry("names", "[]")
    for data in (b"", b"\xff" * 50, whole[:-3] + b"\x80", b"\x0b" + whole, _field(14, b"\x08\x01")):
        path.write_bytes(data)
        assert read_onnx_metadata(path) == {}, data[:10]
    assert read_onnx_metadata(tmp_path / "absent.onnx") == {}


def test_a_text_that_is_too_long_is_not_read(tmp_path: Path) -> None:
    path = tmp_path / "a.onnx"
    path.write_bytes(_entry("long", "x" * (5 << 20)) + _entry("names", "[]"))
    assert read_onnx_metadata(path) == {"names": "[]"}


def test_files_of_onnx_itself(tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="onnx is not installed")
    graph = onnx.helper.make_graph([], "empty", [], [])
    model = onnx.helper.make_model(graph, producer_name="hand", producer_version="3")
    onnx.helper.set_model_props(model, {"task": "detect", "names": "{0: 'a'}"})
    onnx.save(model, tmp_path / "a.onnx")
    found = read_onnx_metadata(tmp_path / "a.onnx")
    assert found == {"producer": "hand 3", "task": "detect", "names": "{0: 'a'}"}
