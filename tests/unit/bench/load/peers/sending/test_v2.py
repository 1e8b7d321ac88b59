"""The Open Inference Protocol's messages, against protocol buffers written by hand."""

import struct

import pytest

from bench.load.peers.sending.answer import FRAMES, GRPC, RAW, top_of
from bench.load.peers.sending.v2 import Given, first_output, request


def test_a_request_is_what_protocol_buffers_would_write():
    message = request(
        "tail", [Given("x", "UINT8", (1, 300), b"\x01\x02"), Given("g", "FP32", (1, 2), b"abcd")]
    )
    assert message == (
        b"\x0a\x04tail"
        b"\x2a\x0f\x0a\x01x\x12\x05UINT8\x1a\x03\x01\xac\x02"
        b"\x2a\x0d\x0a\x01g\x12\x04FP32\x1a\x02\x01\x02"
        b"\x3a\x02\x01\x02\x3a\x04abcd"
    )


def test_a_long_field_has_a_long_length():
    data = bytes(100_000)
    message = request("tail", [Given("x", "UINT8", (1,), data)])
    assert message.endswith(b"\x3a\xa0\x8d\x06" + data)


RAW_LOGITS = struct.pack("<3f", 0.5, 2.0, -1.0)


@pytest.mark.parametrize(
    "message",
    [
        b"\x0a\x04tail\x2a\x03\x0a\x01y\x32\x0c" + RAW_LOGITS,
        b"\x0a\x04tail\x2a\x13\x0a\x01y\x2a\x0e\x32\x0c" + RAW_LOGITS,  # contents, not raw
        b"\x08\x96\x01\x21abcdefgh\x2dabcd\x32\x0c" + RAW_LOGITS,  # a number, eight bytes, four bytes
    ],
)
def test_the_first_output_is_found(message):
    assert first_output(message) == RAW_LOGITS
    assert top_of(GRPC, message) == 1


@pytest.mark.parametrize(
    "message", [b"", b"\x0a\x04tail", b"\x32\x0cshort", b"\x33abc", b"\x32", b"\xff" * 20]
)
def test_what_has_no_output_is_refused(message):
    with pytest.raises(ValueError):
        first_output(message)


def test_the_class_on_top_by_protocol():
    assert top_of(RAW, RAW_LOGITS) == 1
    assert top_of(FRAMES, b'{"top": [{"class_id": 7}, {"class_id": 1}]}') == 7


@pytest.mark.parametrize(
    ("protocol", "answer"),
    [(RAW, b""), (RAW, b"abc"), (FRAMES, b"{}"), (FRAMES, b'{"top": []}'), (FRAMES, b"<html>"), (FRAMES, b"[]")],
)  # fmt: skip
def test_an_answer_without_classes_is_none(protocol, answer):
    with pytest.raises(ValueError):
        top_of(protocol, answer)
