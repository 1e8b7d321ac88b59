"""One test for every way in which the bytes of a frame can lie."""

from __future__ import annotations

import zlib

import pytest
from kits.codecs import forge, with_right_crc
from kits.naming import naming
from kits.reading import read

from shared import limits
from shared.errors import ContentError, LimitError, WireError
from shared.wire import frame as wire


def test_the_hand_made_frame_that_the_lies_start_from_is_true() -> None:
    assert read(forge()).tolist() == [1.5]


def test_fewer_bytes_than_a_header_are_no_frame() -> None:
    for length in (0, 1, 4, 5, wire.HEADER.size - 1):
        least = "40 bytes or more" if length < 5 else "56 bytes"
        with naming(length), pytest.raises(WireError, match=f"header of {least}, these are {length}"):
            wire.unpack(forge()[:length])


def test_foreign_magic_is_refused() -> None:
    with pytest.raises(WireError, match="starts with b'SDNF', these bytes with b'PK"):
        wire.unpack(forge(magic=b"PK\3\4"))


@pytest.mark.parametrize("version", [0, 3, 255])
def test_another_version_is_refused_with_those_that_are_supported(version: int) -> None:
    with pytest.raises(WireError, match=f"version {version} ") as refusal:
        wire.unpack(forge(version=version))
    assert refusal.value.accepted == {"versions": [1, 2]}


@pytest.mark.parametrize(
    ("field", "value", "what", "limit"),
    [
        ("name_length", 65, "split point name", limits.MAX_SPLIT_POINT_BYTES),
        ("params_length", 4097, "parameters", limits.MAX_PARAMS_BYTES),
        ("payload_length", 0xFFFFFFFF, "payload", limits.MAX_PAYLOAD_BYTES),
    ],
)
def test_a_length_above_its_limit_is_refused_before_the_bytes_are_counted(
    field: str, value: int, what: str, limit: int
) -> None:
    with pytest.raises(LimitError, match=f"{what} of {value} bytes is above the limit of {limit}") as refusal:
        wire.unpack(forge(**{field: value}))
    assert refusal.value.accepted == {"max_bytes": limit}


@pytest.mark.parametrize("field", ["name_length", "params_length", "payload_length"])
def test_a_length_that_promises_more_than_there_is_is_refused(field: str) -> None:
    with pytest.raises(WireError, match="declares a frame of"):
        wire.unpack(forge(**{field: 64}))


def test_a_frame_cut_short_is_refused() -> None:
    with pytest.raises(WireError, match="declares a frame of 61 bytes, these are 60"):
        wire.unpack(with_right_crc(forge()[:-1]))


def test_a_byte_after_the_frame_is_refused() -> None:
    with pytest.raises(WireError, match="declares a frame of 61 bytes, these are 62"):
        wire.unpack(with_right_crc(forge() + b"\0"))


def test_any_flipped_bit_is_noticed() -> None:
    data = forge()
    for position in range(len(data)):
        damaged = bytearray(data)
        damaged[position] ^= 0x10
        with naming("byte", position), pytest.raises(WireError):
            wire.unpack(damaged)


def test_a_wrong_crc_is_refused() -> None:
    with pytest.raises(WireError, match="CRC"):
        wire.unpack(forge(crc=zlib.crc32(b"something else")))


def test_a_reserved_bit_is_refused() -> None:
    with pytest.raises(WireError, match="reserved bits are set \\(0x80\\)"):
        wire.unpack(forge(reserved=0x80))


@pytest.mark.parametrize("rank", [0, 5, 255])
def test_a_rank_that_is_not_a_tensors_is_refused(rank: int) -> None:
    with pytest.raises(WireError, match=f"rank {rank} "):
        wire.unpack(forge(rank=rank))


def test_a_dimension_beyond_the_rank_is_refused() -> None:
    with pytest.raises(WireError, match="more than 1 dimensions"):
        wire.unpack(forge(shape=(1, 0, 0, 1)))


def test_a_zero_dimension_is_refused() -> None:
    with pytest.raises(ContentError, match="not a tensor's"):
        wire.unpack(forge(rank=3, shape=(1, 0, 1, 0)))


def test_too_many_elements_are_refused() -> None:
    with pytest.raises(LimitError, match="elements") as refusal:
        wire.unpack(forge(rank=4, shape=(0xFFFF,) * 4))
    assert refusal.value.accepted == {"max_elements": limits.MAX_ELEMENTS}


def test_a_name_that_is_not_utf8_is_refused() -> None:
    with pytest.raises(WireError, match="UTF-8"):
        wire.unpack(forge(sections=b"\xff" + bytes(4)))
