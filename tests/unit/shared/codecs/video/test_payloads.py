"""What a payload may hold is checked before a decoder sees it: one picture, of the shape that the frame says."""

from __future__ import annotations

import struct
import sys
from typing import TYPE_CHECKING

import pytest
from hypothesis import example, given, settings
from hypothesis import strategies as st
from kits.codecs import VIDEO_CODECS, name_of
from kits.videos import NONE, encoded, moving

from shared.codecs import NAMES
from shared.codecs.video import h264
from shared.codecs.video.bits import Bits, joined, units
from shared.codecs.video.checks import check_payload
from shared.codecs.video.kinds import coded_size
from shared.errors import ContentError, WireError

if TYPE_CHECKING:
    from shared.codecs.video.codec import Video

every_codec = pytest.mark.parametrize("codec", VIDEO_CODECS, ids=name_of)
FRAMES = {codec.name: encoded(codec.name, moving(2)) for codec in VIDEO_CODECS}
SHAPE = (48, 64, 3)


def refused(codec: Video, payload: bytes, shape: tuple[int, ...] = SHAPE, *, keyframe: bool = True) -> str:
    with pytest.raises(ContentError) as refusal:
        check_payload(codec.kind, payload, shape, keyframe=keyframe)
    return str(refusal.value)


@every_codec
def test_the_size_stands_in_the_headers(codec) -> None:
    for size in ((48, 64), (1, 1), (33, 51), (240, 322), (16, 1000)):
        shape = (*size, 3)
        payload = codec.encode(moving(1, *size)[0]).payload
        assert codec.kind.size(payload, keyframe=True) == coded_size(shape)
        check_payload(codec.kind, payload, shape, keyframe=True)


@every_codec
def test_a_frame_that_lies_about_the_size_reaches_no_decoder(codec, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("shared.codecs.video.codec.VideoStream._made_decoder", None)
    payload = FRAMES[codec.name][0].payload
    for shape in ((48, 62, 3), (46, 64, 3), (64, 48, 3), (1, 1, 3), (2000, 2000, 3)):
        with pytest.raises(ContentError, match="48 x 64"):
            codec.decode(NONE, payload, shape)
    for shape in ((60000, 60000, 3), (48, 64), (48, 64, 4)):
        with pytest.raises(ContentError, match="no RGB picture"):
            codec.decode(NONE, payload, shape)


@every_codec
def test_a_payload_is_one_picture(codec) -> None:
    key, following = (frame.payload for frame in FRAMES[codec.name])
    for payload, keyframe in ((key + key, True), (key + following, True), (following + following, False)):
        refused(codec, payload, keyframe=keyframe)
    refused(codec, following)
    if codec.name != "av1":  # whose pictures say in their first bits what they are, for the decoder
        refused(codec, key, keyframe=False)
    for payload in (b"", b"\0", b"\0\0\1", key[:20], key[5:], b"no video"):
        refused(codec, payload)


@every_codec
def test_what_no_decoder_needs_is_not_sent_and_not_taken(codec) -> None:
    key = FRAMES[codec.name][0].payload
    more = {
        "h264": [b"\0\0\1\x09\x10", b"\0\0\1\x06\x05\x01\x00\x80", b"\0\0\1\x0c\xff\x80"],
        "h265": [b"\0\0\1\x46\x01\x50", b"\0\0\1\x4e\x01\x05\x01\x00\x80"],
        "av1": [b"\x12\0", b"\x2a\x02\x01\x00", b"\x7a\x01\x80"],
    }
    for extra in more[codec.name]:
        for payload in (extra + key, key + extra):
            assert "types" in refused(codec, payload)
            assert codec.kind.bare(payload) == key
    assert codec.kind.bare(key) == key


def test_units_of_another_layer_are_not_taken() -> None:
    key = FRAMES["h265"][0].payload
    layered = key.replace(b"\0\0\1\x44\x01", b"\0\0\1\x44\x09")
    assert layered != key
    assert "another layer" in refused(NAMES["h265"], layered)


def test_b_slices_are_not_taken() -> None:
    # first_mb_in_slice 0 (`1`), slice_type 1 or 6 (`010`, `00111`): B
    for bits in (0b1010_0000, 0b1001_1100):
        unit = b"\0\0\1\x01" + bytes([bits, 0x80])
        assert h264.has_b(unit)
        assert "B slices" in refused(NAMES["h264"], unit, keyframe=False)
    assert not h264.has_b(FRAMES["h264"][1].payload)


def test_other_h264_than_that_of_8_bits_and_420_is_not_taken() -> None:
    _, params = units(FRAMES["h264"][0].payload, "h264")[:2]
    rest = [unit for unit in units(FRAMES["h264"][0].payload, "h264") if unit[0] & 31 != 7]
    for name, sequence in {
        "profile 110": bytes([0x67, 110, 0, 30, 0xAC, 0xD9]),
        "8 bits": bytes([0x67, 100, 0, 30, 0b1_1_010_010, 0x80]),
    }.items():
        payload = b"".join(b"\0\0\1" + unit for unit in (sequence, *rest))
        assert name in refused(NAMES["h264"], payload)
    assert params


def test_numbers_are_read_bit_by_bit() -> None:
    bits = Bits(bytes([0b1_010_011_0, 0b0100_0010, 0b1_0000000]), "h264")
    assert [bits.number() for _ in range(5)] == [0, 1, 2, 3, 4]
    assert [Bits(bytes([first]), "h264").signed() for first in (0x80, 0x40, 0x60, 0x20)] == [0, 1, -1, 2]
    for data in (b"", bytes(40)):
        with pytest.raises(ContentError):
            Bits(data, "h264").number()


@every_codec
@settings(deadline=None, max_examples=150)
@example(damage=[], cut=0, extra=b"", keyframe=True)
@given(
    damage=st.lists(st.tuples(st.integers(0, 400), st.integers(0, 255)), max_size=6),
    cut=st.integers(0, 400),
    extra=st.binary(max_size=30),
    keyframe=st.booleans(),
)
def test_any_bytes_are_taken_or_refused(codec, damage, cut, extra, keyframe) -> None:
    payload = bytearray(FRAMES[codec.name][not keyframe].payload)
    for at, value in damage:
        payload[at % len(payload)] = value
    data = bytes(payload[cut % len(payload) :]) + extra
    for each in (data, extra):
        try:
            check_payload(codec.kind, each, SHAPE, keyframe=keyframe)
            codec.kind.bare(each)
            codec.kind.has_b(each)
        except WireError as error:
            assert str(error)


def test_of_many_headers_none_is_read(monkeypatch: pytest.MonkeyPatch) -> None:
    """A megabyte of sequences' parameters, each of them valid and none like another."""
    heads = {"h264": (7, 8), "h265": (32, 33, 34)}
    for name, kinds in heads.items():
        found = units(FRAMES[name][0].payload, name)
        for kind in kinds:
            (head,) = (unit for unit in found if kind == (unit[0] & 31 if name == "h264" else unit[0] >> 1))
            many = [head + number.to_bytes(2, "big") + b"\x80" + b"\xff" * 1000 for number in range(1, 1000)]
            payload = joined([*found, *many])
            with monkeypatch.context() as patch:
                patch.setattr(f"shared.codecs.video.{name}.Bits", None)
                assert f"units of the type {kind}" in refused(NAMES[name], payload)
            check_payload(NAMES[name].kind, joined([head] * 500 + found), SHAPE, keyframe=True)
    sequence = FRAMES["av1"][0].payload[: 2 + FRAMES["av1"][0].payload[1]]
    other = sequence[:-1] + bytes([sequence[-1] ^ 1])
    assert "units of the type 1" in refused(NAMES["av1"], other + FRAMES["av1"][0].payload)
    check_payload(NAMES["av1"].kind, sequence + FRAMES["av1"][0].payload, SHAPE, keyframe=True)


def test_of_a_long_header_the_beginning_is_read() -> None:
    # High, constraints and level, id 0, 4:2:0 of 8 bits, eight lists of the longest changes: what comes before the size at the most.
    lists = "".join("1" + (16 if number < 6 else 64) * f"{257:017b}" for number in range(8))
    bits = f"{100:08b}" + "0" * 16 + "1" + "010" + "11" + "0" + "1" + lists
    bits += "1" * 3 + "010" + "0" + "00100" + "011" + "1" * 2 + "0"
    bits += "1" + "0" * (-(len(bits) + 1) % 8)
    unit = b"\x67" + int(bits, 2).to_bytes(len(bits) // 8, "big")
    found = units(FRAMES["h264"][0].payload, "h264")[1:]
    assert h264.size(joined([unit, *found]), keyframe=True) == SHAPE[:2]
    steps = 0

    def count(*_: object) -> None:
        nonlocal steps
        steps += 1

    endless = b"\x67\x42\0\x1e" + b"\xff" * 2 + b"\x55" * 1_000_000
    for head in (endless, b"\x67\x42\0\x1e\xd8\0\0\4" + b"\xff" * 1_000_000):
        sys.setprofile(count)
        try:
            h264.size(joined([head, *found]), keyframe=True)
        except ContentError:
            pass
        finally:
            sys.setprofile(None)
    assert steps < 20_000


def test_a_long_payload_takes_no_longer_than_its_length() -> None:
    many = b"\0\0\1\x01\x80\x80" * 10_000
    for name in ("h264", "h265"):
        assert "units" in refused(NAMES[name], many)
    assert "units" in refused(NAMES["av1"], b"\x32\x00" * 100_000)
    for name in ("h264", "h265", "av1"):
        assert "bytes, not" in refused(NAMES[name], bytes(3 * 48 * 64 + (1 << 20) + 1))
    huge = struct.pack(">I", 1) + b"\x67\x64" + bytes(1_000_000)
    refused(NAMES["h264"], huge)
