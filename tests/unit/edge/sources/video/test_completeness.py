"""Files that end before what their container promises."""

from __future__ import annotations

import struct

import pytest

from edge.sources.video.completeness import cut_off, unreadable


def box(kind, size):
    return (8 + size).to_bytes(4, "big") + kind + bytes(size)


def large_box(kind, size):
    return (1).to_bytes(4, "big") + kind + (16 + size).to_bytes(8, "big") + bytes(size)


def riff(size, *, first=True):
    return b"RIFF" + size.to_bytes(4, "little") + (b"AVI " if first else b"AVIX") + bytes(size - 4 + size % 2)


def matroska(size):
    head = bytes.fromhex("1a45dfa384") + bytes(4)
    length = (1 << 56 | size).to_bytes(8, "big") if size is not None else b"\x01" + b"\xff" * 7
    return head + bytes.fromhex("18538067") + length + bytes(size or 100)


def asf(size, *, broadcast=False):
    properties = bytes.fromhex("a1dcab8c47a9cf118ee400c00c205365") + bytes(24) + size.to_bytes(8, "little")
    properties += bytes(40) + bytes([broadcast]) + bytes(15)
    head = bytes.fromhex("3026b2758e66cf11a6d900aa0062ce6c") + bytes(14) + properties
    return head + bytes(size - len(head))


def flash(size, told=None):
    head = b"FLV\1\1\0\0\0\x09\0\0\0\0\x12\0\0\x30onMetaData\0\x08filesize\0"
    head += struct.pack(">d", size if told is None else told)
    return head + bytes(size - len(head))


WHOLE = {
    "mp4": box(b"ftyp", 16) + box(b"moov", 200) + box(b"mdat", 300),
    "mov": box(b"wide", 0) + large_box(b"mdat", 300) + box(b"moov", 100),
    "fragments": box(b"ftyp", 16) + box(b"moov", 50) + (box(b"moof", 40) + box(b"mdat", 300)) * 3,
    "avi": riff(500),
    "odd avi": riff(501),
    "large avi": riff(500) + riff(300, first=False),
    "mkv": matroska(400),
    "wmv": asf(600),
    "flv": flash(300),
}


@pytest.fixture
def made(tmp_path):
    def make(data):
        path = tmp_path / "video"
        path.write_bytes(data)
        return path

    return make


def test_whole_files_lack_nothing(made):
    for kind, data in WHOLE.items():
        assert not cut_off(made(data)), kind
        assert not cut_off(made(data + b"more that somebody appended")), kind
        assert not unreadable(made(data)), kind


def test_files_that_are_cut_say_how_much_is_missing(made):
    for kind, data in WHOLE.items():
        missing = 37 - (kind == "odd avi")  # its last byte fills up and is none of its own
        assert cut_off(made(data[:-37])).startswith(f"its last {missing} of "), kind


def test_what_does_not_say_how_long_it_is_lacks_nothing(made):
    unknown = {
        "transport stream": b"\x47" + bytes(187),
        "h264": b"\0\0\0\1\x67" + bytes(100),
        "live mkv": matroska(None),
        "mp4 to the end": box(b"ftyp", 16) + bytes(4) + b"mdat" + bytes(500),
        "avi without a size": riff(500)[:4] + bytes(4) + riff(500)[8:],
        "broadcast": asf(600, broadcast=True)[:-50],
        "live flv": flash(300, told=0),
        "short": b"\0",
        "rubbish": bytes(range(256)),
    }
    for kind, data in unknown.items():
        assert not cut_off(made(data)), kind


def test_why_a_file_cannot_be_opened(made):
    assert unreadable(made(b"")) == "it is empty"
    assert "moov" in unreadable(made(box(b"ftyp", 16) + box(b"mdat", 300)))
    assert "truncated" in unreadable(made(WHOLE["mkv"][:40]))
    assert not unreadable(made(b"hello"))
    assert not unreadable(made(b"hello").with_name("nothing"))


def test_boxes_that_lead_nowhere_end(made):
    assert not cut_off(made(box(b"ftyp", 16) + (4).to_bytes(4, "big") + b"free" + bytes(100)))
    assert not cut_off(made(box(b"ftyp", 16) + b"\0\0\0\x10\xff\xff\xff\xff"))
