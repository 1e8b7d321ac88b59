"""Frame <-> bytes: the round trip, and what a sender cannot send."""

from __future__ import annotations

import contextlib
from dataclasses import replace

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from kits.codecs import FINGERPRINT, frame_of
from kits.naming import naming

from shared import limits
from shared.codecs import NAMES
from shared.errors import WireError
from shared.wire import frame as wire

names = st.text(st.characters(exclude_categories=["Cs"]), max_size=64).filter(
    lambda name: len(name.encode()) <= 64
)
shapes = st.lists(st.integers(1, 12), min_size=1, max_size=4).map(tuple)
tensors = st.builds(
    wire.EncodedTensor,
    codec_id=st.integers(0, 0xFFFF),
    shape=shapes,
    params=st.binary(max_size=64),
    payload=st.binary(max_size=256),
)
frames = st.builds(
    wire.Frame,
    split_point=names,
    tensors=st.lists(tensors, min_size=1, max_size=limits.MAX_TENSORS).map(tuple),
    fingerprint=st.binary(min_size=8, max_size=8),
    frame_id=st.integers(0, 2**64 - 1),
    capture_time_ns=st.integers(0, 2**64 - 1),
    deadline_ms=st.integers(0, 2**32 - 1),
)


@settings(deadline=None)
@given(frames)
def test_every_field_comes_back_as_it_was_packed(frame: wire.Frame) -> None:
    assert wire.unpack(wire.pack(frame)) == frame


@settings(deadline=None)
@given(frames)
def test_what_names_a_frame_is_found_without_the_rest(frame: wire.Frame) -> None:
    data = wire.pack(frame)
    assert wire.heading(data) == (frame.frame_id, frame.split_point)
    kept = len(data) - frame.payload_bytes - sum(len(each.params) for each in frame.tensors)
    assert wire.heading(data[:kept]) == (frame.frame_id, frame.split_point)
    assert wire.deadline_of(data[:kept]) == wire.deadline_of(memoryview(data)) == frame.deadline_ms


@given(st.binary(max_size=80))
def test_of_what_is_no_frame_it_is_said(data: bytes) -> None:
    for start in (b"", b"SDNF\x01", b"SDNF\x02", b"SDNF\x03"):
        with contextlib.suppress(WireError):
            number, name = wire.heading(start + data)
            assert start in (b"SDNF\x01", b"SDNF\x02"), start
            assert 0 <= number < 2**64
            assert len(name) <= 255
        assert 0 <= wire.deadline_of(start + data) < 2**32


def test_a_name_and_parameters_may_be_as_long_as_their_limits() -> None:
    frame = frame_of(NAMES["float32"], split_point="é" * 32, params=bytes(limits.MAX_PARAMS_BYTES))
    assert wire.unpack(wire.pack(frame)) == frame


def test_the_payload_is_not_copied_when_it_is_read() -> None:
    data = bytearray(wire.pack(frame_of(NAMES["float32"])))
    frame = wire.unpack(data)
    data[-1] ^= 0xFF
    assert bytes(frame.tensors[0].payload)[-1] == data[-1]


def test_pack_refuses_what_unpack_would() -> None:
    for changes, expected in [
        ({"split_point": "x" * 65}, "split point name of 65 bytes"),
        ({"params": bytes(4097)}, "parameters of 4097 bytes"),
        ({"payload": memoryview(bytes(limits.MAX_PAYLOAD_BYTES + 1))}, "payload of 67108865 bytes"),
        ({"shape": (2, 0)}, "not a tensor's"),
        ({"shape": (-2, -3)}, "not a tensor's"),
        ({"split_point": "\ud800"}, "is not UTF-8"),
        ({"fingerprint": bytes(3)}, "a fingerprint has 8 bytes, this one 3"),
        ({"fingerprint": bytes(9)}, "a fingerprint has 8 bytes, this one 9"),
        ({"frame_id": -1}, "frame id -1, .* does not fit its field"),
        ({"frame_id": 2**64}, "frame id 18446744073709551616, .* does not fit its field"),
        ({"frame_id": 1.5}, "does not fit its field"),
        ({"capture_time_ns": -1}, "capture time -1 ns, .* does not fit its field"),
        ({"deadline_ms": 2**32}, "deadline 4294967296 ms: .* does not fit its field"),
        ({"codec_id": 2**16}, "codec 65536, .* does not fit its field"),
    ]:
        with naming(expected), pytest.raises(WireError, match=expected):
            wire.pack(frame_of(NAMES["float32"], **changes))


def test_a_frame_of_one_tensor_has_its_fields() -> None:
    frame = frame_of(NAMES["int8"])
    (sent,) = frame.tensors
    assert frame.tensor is sent
    assert (frame.codec_id, frame.shape, frame.params, frame.payload) == (
        sent.codec_id,
        sent.shape,
        sent.params,
        sent.payload,
    )


def test_a_frame_of_no_tensor_is_not_packed() -> None:
    with pytest.raises(WireError, match="a crossing of 0 tensors") as refusal:
        wire.pack(replace(frame_of(NAMES["float32"]), tensors=()))
    assert (type(refusal.value), refusal.value.accepted) == (WireError, {"tensors": "1 to 6"})


def test_one_tensor_travels_as_version_1_and_several_as_version_2() -> None:
    """So that every receiver reads what it can."""
    one = frame_of(NAMES["float32"])
    for count in range(1, limits.MAX_TENSORS + 1):
        data = wire.pack(replace(one, tensors=one.tensors * count))
        assert data[4] == (1 if count == 1 else 2)
        table = 0 if count == 1 else count * wire.TENSOR.size
        header = wire.HEADER.size if count == 1 else wire.HEADER_2.size
        assert len(data) == header + table + len(one.split_point) + count * one.payload_bytes


def test_the_limits_of_a_frame_add_up() -> None:
    assert wire.HEADER.size == limits.HEADER_BYTES
    assert wire.HEADER_2.size + limits.MAX_TENSORS * wire.TENSOR.size == limits.MAX_HEADER_BYTES
    assert len(FINGERPRINT) == limits.FINGERPRINT_BYTES
    rows = limits.MAX_ELEMENTS // 4096
    count = limits.MAX_TENSORS
    most = wire.EncodedTensor(
        1, (rows - count + 1, 4096), bytes(limits.MAX_PARAMS_BYTES), bytes(limits.MAX_PAYLOAD_BYTES)
    )
    rest = (wire.EncodedTensor(1, (1, 4096), b"", b""),) * (count - 1)
    largest = wire.Frame("x" * limits.MAX_SPLIT_POINT_BYTES, (most, *rest), FINGERPRINT, 0, 0, 0)
    assert len(wire.pack(largest)) == limits.MAX_FRAME_BYTES
    assert np.dtype(np.float32).itemsize * limits.MAX_ELEMENTS == limits.MAX_PAYLOAD_BYTES
