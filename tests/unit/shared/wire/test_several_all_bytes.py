"""The invariant of WIRE.md, rule 7, for frames of several tensors: all bytes give valid arrays or are refused."""

from __future__ import annotations

import numpy as np
from hypothesis import HealthCheck, example, given, settings
from hypothesis import strategies as st
from kits.codecs import TENSOR_CODECS, changed, with_right_crc
from kits.naming import naming
from kits.reading import KINDS, Edit, assert_valid_or_refused, damaged
from kits.several import forge_several, frame_of_several, mixed, row, tensors

from shared.codecs import CODECS, decode_frame
from shared.wire import frame as wire

fuzz = settings(deadline=None, suppress_health_check=[HealthCheck.too_slow])
edits = st.lists(
    st.tuples(
        st.sampled_from(KINDS),
        st.integers(0, 1 << 20),
        st.integers(0, 15),
        st.binary(min_size=1, max_size=8),
    ),
    min_size=1,
    max_size=4,
)
# Each example damages all of them in the same way, so that drawing it is paid for once.
FRAMES = [*(frame_of_several(codec) for codec in TENSOR_CODECS), mixed()]
PACKED = [wire.pack(frame) for frame in FRAMES]
rows = st.builds(
    row,
    codec=st.sampled_from([*CODECS, 0, 199, 200, 0xFFFF]),
    rank=st.integers(0, 5),
    reserved=st.sampled_from([0, 0, 0, 1]),
    shape=st.tuples(*[st.sampled_from([0, 1, 2, 3, 0xFFFF])] * 4),
    params_length=st.integers(0, 8) | st.integers(0, 0xFFFF),
    payload_length=st.integers(0, 24) | st.integers(0, 0xFFFFFFFF),
)


def test_frames_of_every_codec_and_of_several_come_back() -> None:
    for frame, data in zip(FRAMES, PACKED, strict=True):
        arrays = assert_valid_or_refused(data)
        assert arrays is not None
        for array, expected in zip(arrays, decode_frame(frame), strict=True):
            np.testing.assert_array_equal(array, expected)
    for array, given_array in zip(decode_frame(FRAMES[0]), tensors(), strict=True):
        np.testing.assert_array_equal(array, given_array)


@fuzz
@given(st.binary(max_size=200))
@example(b"")
def test_arbitrary_bytes_after_the_version_are_decoded_or_refused(data: bytes) -> None:
    assert_valid_or_refused(with_right_crc(wire.MAGIC + b"\2" + data))


@settings(fuzz, max_examples=300)
@given(st.lists(rows, max_size=8), st.binary(max_size=64), st.sampled_from([0, 1, 1, 1, 64, 255]))
def test_an_arbitrary_table_is_decoded_or_refused(table: list[bytes], sections: bytes, name: int) -> None:
    assert_valid_or_refused(forge_several(*table, count=len(table), name_length=name, sections=sections))


@settings(fuzz, max_examples=150)
@given(
    number=st.integers(0, 2),
    of_params=st.just([]) | edits,
    of_payload=edits,
    shape=st.sampled_from([None, (8,), (2, 4), (60,)]),
)
def test_one_damaged_tensor_in_a_true_frame_is_decoded_or_refused(
    number: int, of_params: list[Edit], of_payload: list[Edit], shape: tuple[int, ...] | None
) -> None:
    for frame in FRAMES:
        sent = frame.tensors[number]
        other = changed(
            frame,
            number,
            shape=shape or sent.shape,
            params=damaged(sent.params, of_params),
            payload=damaged(bytes(sent.payload), of_payload),
        )
        with naming(CODECS[sent.codec_id].name, number):
            assert_valid_or_refused(wire.pack(other))


@settings(fuzz, max_examples=150)
@given(edits)
def test_a_damaged_frame_with_its_crc_repaired_is_decoded_or_refused(how: list[Edit]) -> None:
    for frame, data in zip(FRAMES, PACKED, strict=True):
        with naming(CODECS[frame.tensors[0].codec_id].name):
            assert_valid_or_refused(with_right_crc(damaged(data, how)))


@settings(fuzz, max_examples=80)
@given(position=st.integers(0, wire.HEADER_2.size + 3 * wire.TENSOR.size - 1), value=st.integers(0, 255))
def test_a_damaged_header_or_table_with_its_crc_repaired_is_decoded_or_refused(
    position: int, value: int
) -> None:
    for frame, data in zip(FRAMES, PACKED, strict=True):
        other = bytearray(data)
        other[position] = value
        with naming(CODECS[frame.tensors[0].codec_id].name):
            assert_valid_or_refused(with_right_crc(bytes(other)))
