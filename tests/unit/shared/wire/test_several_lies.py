"""One test for every way in which the bytes of a frame of several tensors can lie."""

from __future__ import annotations

import zlib

import pytest
from kits.naming import naming
from kits.several import forge_several, row

from shared import limits
from shared.codecs import decode_frame
from shared.errors import ContentError, LimitError, WireError
from shared.wire import frame as wire

HEADER = wire.HEADER_2.size


def test_the_hand_made_frame_that_the_lies_start_from_is_true() -> None:
    first, second = decode_frame(wire.unpack(forge_several()))
    assert (first.tolist(), second.tolist()) == ([1.5], [2.5])


def test_one_tensor_may_come_as_version_2() -> None:
    frame = wire.unpack(forge_several(row(), sections=b"a" + bytes(4)))
    assert [each.shape for each in frame.tensors] == [(1,)]
    assert wire.pack(frame)[4] == 1


def test_fewer_bytes_than_header_and_table_are_no_frame() -> None:
    data = forge_several()
    for length in (5, HEADER - 1, HEADER, HEADER + 2 * wire.TENSOR.size - 1):
        least = HEADER if length < HEADER else HEADER + 2 * wire.TENSOR.size
        with naming(length), pytest.raises(WireError, match=f"header of {least} bytes, these are {length}"):
            wire.unpack(data[:length])


def test_a_number_of_tensors_that_no_frame_has_is_refused_before_the_table_is_read() -> None:
    for count in (0, limits.MAX_TENSORS + 1, 255):
        with naming(count), pytest.raises(WireError, match=f"a crossing of {count} tensors") as refusal:
            wire.unpack(forge_several(count=count))
        assert refusal.value.accepted == {"tensors": f"1 to {limits.MAX_TENSORS}"}
        assert isinstance(refusal.value, LimitError) == (count > 0)


def test_a_number_of_tensors_other_than_the_tables_is_refused() -> None:
    """What is taken for a row of the table, or for the name, never fits what follows."""
    for count in (1, 3, 4, 5, 6):
        with naming(count), pytest.raises(WireError):
            wire.unpack(forge_several(row(), row(), count=count, sections=b"a" + bytes(8)))


def test_a_length_above_its_limit_is_refused_before_the_bytes_are_counted() -> None:
    for rows, name, what, size, limit in [
        ((row(), row()), 65, "split point name", 65, limits.MAX_SPLIT_POINT_BYTES),
        ((row(), row(params_length=4097)), 1, "parameters", 4097, limits.MAX_PARAMS_BYTES),
        ((row(payload_length=0xFFFFFFFF), row()), 1, "payload", 0xFFFFFFFF + 4, limits.MAX_PAYLOAD_BYTES),
    ]:
        with naming(what), pytest.raises(LimitError, match=f"{what} of {size} bytes is above") as refusal:
            wire.unpack(forge_several(*rows, name_length=name))
        assert refusal.value.accepted == {"max_bytes": limit}


def test_limits_hold_for_the_sum_over_all_tensors() -> None:
    """Each of these tensors would fit alone."""
    params, payload, elements = limits.MAX_PARAMS_BYTES, limits.MAX_PAYLOAD_BYTES, limits.MAX_ELEMENTS
    for fields, text in [
        ({"params_length": params // 2 + 1}, f"parameters of {params + 2} bytes"),
        ({"payload_length": payload // 2 + 1}, f"payload of {payload + 2} bytes"),
        ({"rank": 2, "shape": (2049, 4096, 0, 0)}, f"have {elements + 2 * 4096} elements"),
    ]:
        with naming(text), pytest.raises(LimitError, match=text):
            wire.unpack(forge_several(row(**fields), row(**fields)))


def test_a_length_that_promises_more_or_less_than_there_is_is_refused() -> None:
    for rows, fields in [
        ((row(), row()), {"name_length": 64}),
        ((row(), row()), {"name_length": 0}),
        ((row(), row(params_length=1)), {}),
        ((row(payload_length=5), row()), {}),
        ((row(), row(payload_length=0)), {}),
        ((row(), row(), row()), {}),
    ]:
        with naming(rows, fields), pytest.raises(WireError, match="declares a frame of"):
            wire.unpack(forge_several(*rows, **fields))


def test_lengths_that_add_up_wrongly_only_each_are_refused_by_the_codec() -> None:
    """The sum is right, so only the shapes tell."""
    frame = wire.unpack(forge_several(row(payload_length=3), row(payload_length=5)))
    with pytest.raises(
        ContentError, match=r"tensor 0 of 2: float32 of shape \(1,\) is 4 bytes, the frame brings 3"
    ):
        decode_frame(frame)


def test_a_frame_cut_short_or_too_long_is_refused() -> None:
    data = forge_several()
    for changed in (data[:-1], data + b"\0"):
        with naming(len(changed)), pytest.raises(WireError, match=f"of {len(data)} bytes, these are"):
            wire.unpack(changed)


def test_any_flipped_bit_is_noticed() -> None:
    data = forge_several()
    for position in range(len(data)):
        for bit in range(8):
            damaged = bytearray(data)
            damaged[position] ^= 1 << bit
            with naming("byte", position, "bit", bit), pytest.raises(WireError):
                wire.unpack(damaged)


def test_a_wrong_crc_is_refused() -> None:
    with pytest.raises(WireError, match="CRC"):
        wire.unpack(forge_several(crc=zlib.crc32(b"something else")))


def test_a_reserved_bit_is_refused_wherever_it_is() -> None:
    for rows, fields in [
        ((row(), row()), {"reserved": 0x40}),
        ((row(reserved=0x40), row()), {}),
        ((row(), row(reserved=0x40)), {}),
    ]:
        with naming(rows, fields), pytest.raises(WireError, match=r"reserved bits are set \(0x40\)"):
            wire.unpack(forge_several(*rows, **fields))


def test_a_shape_that_no_tensor_has_is_refused_in_every_row() -> None:
    for fields, error, text in [
        ({"rank": 0}, WireError, "rank 0 "),
        ({"rank": 5}, WireError, "rank 5 "),
        ({"rank": 255}, WireError, "rank 255 "),
        ({"shape": (1, 0, 0, 1)}, WireError, "more than 1 dimensions"),
        ({"shape": (0, 0, 0, 0)}, ContentError, "not a tensor's"),
        ({"rank": 3, "shape": (1, 0, 1, 0)}, ContentError, "not a tensor's"),
    ]:
        for rows in ((row(**fields), row()), (row(), row(**fields))):
            with naming(fields), pytest.raises(error, match=text):
                wire.unpack(forge_several(*rows))


def test_a_name_that_is_not_utf8_is_refused() -> None:
    with pytest.raises(WireError, match="UTF-8"):
        wire.unpack(forge_several(sections=b"\xff" + bytes(8)))
