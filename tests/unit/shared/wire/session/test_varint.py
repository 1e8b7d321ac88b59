"""Numbers in as few bytes as they need."""

from __future__ import annotations

import pytest
from hypothesis import given
from hypothesis import strategies as st
from kits.naming import naming

from shared.errors import WireError
from shared.wire.session import varint


@given(st.integers(0, (1 << 64) - 1), st.binary(max_size=3), st.binary(max_size=3))
def test_a_number_comes_back_wherever_it_stands(number: int, before: bytes, after: bytes) -> None:
    data = varint.packed(number)
    assert len(data) == max(1, -(-number.bit_length() // 7))
    assert varint.read(memoryview(before + data + after), len(before)) == (number, len(before + data))


def test_the_bytes_are_as_the_page_says() -> None:
    for number, data in (
        (0, "00"),
        (127, "7f"),
        (128, "8001"),
        (300, "ac02"),
        (16_384, "808001"),
        ((1 << 64) - 1, "ffffffffffffffffff01"),
    ):
        assert varint.packed(number).hex() == data


@given(st.binary(max_size=12))
def test_there_is_one_form_of_each_number(data: bytes) -> None:
    try:
        number, end = varint.read(data, 0)
    except WireError:
        return
    assert varint.packed(number) == data[:end]


def test_what_is_no_number_is_refused() -> None:
    for name, data in {
        "nothing": "",
        "cut short": "80",
        "longer than it need be": "8000",
        "zero in ten bytes": "80808080808080808000",
        "65 bits": "ffffffffffffffffff02",
        "eleven bytes": "ffffffffffffffffffff01",
    }.items():
        with naming(name), pytest.raises(WireError):
            varint.read(bytes.fromhex(data), 0)
    for number in (-1, 1 << 64):
        with pytest.raises(WireError, match="fit"):
            varint.packed(number)


@given(st.integers(-(1 << 63), (1 << 63) - 1))
def test_a_difference_comes_back(difference: int) -> None:
    number = varint.zigzag(difference)
    assert 0 <= number < 1 << 64
    assert varint.difference_of(number) == difference
    assert varint.turn(difference, 1 << 64) == difference


def test_small_differences_are_small_numbers_and_the_shortest_way_round_is_taken() -> None:
    assert [varint.zigzag(each) for each in (0, -1, 1, -2, 2)] == [0, 1, 2, 3, 4]
    assert [varint.turn(each, 8) for each in (0, 3, 4, 7, -4, -5)] == [0, 3, -4, -1, -4, 3]
