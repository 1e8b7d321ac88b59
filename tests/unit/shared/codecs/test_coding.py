"""One array to a frame and back: every codec, and what encoding and decoding refuse whatever the codec."""

from __future__ import annotations

import numpy as np
import pytest
from kits.codecs import FINGERPRINT, PICTURE_CODECS, TENSOR_CODECS, forge, frame_of, sample, tensor
from kits.naming import naming
from kits.reading import read

from shared import limits
from shared.codecs import CODECS, NAMES, decode_frame, encode_frame
from shared.errors import CodecError, ContentError, LimitError
from shared.wire import frame as wire

EVERY = [*TENSOR_CODECS, *PICTURE_CODECS]


def test_a_frame_of_every_codec_is_read_from_any_kind_of_bytes() -> None:
    for codec in EVERY:
        frame = frame_of(codec)
        for kind in (bytes, bytearray, memoryview):
            with naming(codec.name, kind):
                found = read(kind(wire.pack(frame)))
                assert np.array_equal(found, *decode_frame(frame))
                assert found.shape == sample(codec).shape


def test_encode_notes_who_sends_what_from_where() -> None:
    array = tensor((2, 3))
    frame = encode_frame(
        [array], NAMES["float32"], split_point="layer1.0", fingerprint=FINGERPRINT, frame_id=9, capture_time_ns=11,
        deadline_ms=13,
    )  # fmt: skip
    sent = wire.EncodedTensor(1, (2, 3), b"", array.tobytes())
    assert frame == wire.Frame("layer1.0", (sent,), FINGERPRINT, 9, 11, 13)


def test_encode_refuses_what_no_frame_can_hold() -> None:
    for codec in EVERY:
        for shape in [(), (0,), (3, 0, 2), (1, 1, 1, 1, 3), (0x10000,)]:
            array = np.zeros(shape, dtype=np.float32 if codec.carries == "tensor" else np.uint8)
            with naming(codec.name, shape), pytest.raises(ContentError, match="1 to 4 dimensions"):
                encode_frame([array], codec, split_point="a", fingerprint=FINGERPRINT, frame_id=1)


def test_encode_refuses_too_many_elements() -> None:
    with pytest.raises(LimitError, match=str(limits.MAX_ELEMENTS + 4096)) as refusal:
        frame_of(NAMES["int8"], np.broadcast_to(np.float32(0), (4097, 4096)))
    assert refusal.value.accepted == {"max_elements": limits.MAX_ELEMENTS}


def test_encode_refuses_a_payload_above_its_limit(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "MAX_PAYLOAD_BYTES", 239)
    with pytest.raises(LimitError, match="payload of 240 bytes"):
        frame_of(NAMES["float32"])


def test_an_unknown_codec_is_refused_with_the_known_ones() -> None:
    with pytest.raises(CodecError, match="unknown codec id 4660") as refusal:
        read(forge(codec=0x1234))
    assert refusal.value.accepted == {codec.id: codec.name for codec in CODECS.values()}


def test_parameters_that_a_codec_does_not_have_are_refused() -> None:
    for codec in EVERY:
        frame = frame_of(codec, params=b"twelve bytes")
        with naming(codec.name), pytest.raises(ContentError, match="parameters"):
            read(wire.pack(frame))


def test_a_payload_of_another_size_than_the_shapes_is_refused() -> None:
    for name in ("float32", "float16", "int8", "raw"):
        payload = frame_of(NAMES[name]).tensors[0].payload
        for other in (payload + b"\0", payload[:-1]):
            with naming(name, len(other)), pytest.raises(ContentError, match="shape"):
                read(wire.pack(frame_of(NAMES[name], payload=other)))


def test_a_picture_of_another_shape_than_height_width_3_is_refused() -> None:
    for codec in PICTURE_CODECS:
        for shape in [(8, 8), (64, 3), (3, 8, 8), (8, 8, 4), (1, 8, 8, 3)]:
            with naming(codec.name, shape), pytest.raises(ContentError):
                read(wire.pack(frame_of(codec, shape=shape)))


def test_encode_refuses_what_is_no_picture() -> None:
    for codec in PICTURE_CODECS:
        for array in (
            np.zeros((8, 8, 3), np.float32),
            np.zeros((8, 8, 3), np.int8),
            np.zeros((8, 8, 4), np.uint8),
            np.zeros((8, 8), np.uint8),
            np.zeros((1, 8, 8, 3), np.uint8),
        ):
            with naming(codec.name, array.shape), pytest.raises(ContentError):
                encode_frame([array], codec, split_point="input", fingerprint=FINGERPRINT, frame_id=1)
