"""Every way in which a message of a session can lie is refused, and before anything is taken for it."""

from __future__ import annotations

import tracemalloc

import pytest
from kits.naming import naming
from kits.talking import FINGERPRINT, HELLO, PROFILE, SESSION, frame, pair

from shared.errors import ContentError, LimitError, WireError
from shared.wire.session import varint
from shared.wire.session.cloud import CloudConnection, FrameError
from shared.wire.session.edge import EdgeConnection
from shared.wire.session.fields import sealed
from shared.wire.session.messages import Bye, Cancel, Hello

LONG = varint.packed((1 << 64) - 1)
NAME = b"\6layer3"
TENSOR = b"\x11\x03\x80\x02\x0e\x0e\x04\x10" + PROFILE
"""Codec 17, (256, 14, 14), 4 bytes more than the profile's name."""


def refused_by_cloud(body: bytes, *before: bytes) -> WireError:
    """What a cloud raises for this message after a hello and `before`; nothing is understood after it."""
    edge, cloud = pair()
    for each in before:
        message, edge._crc = sealed([each], edge._crc)
        cloud.received(message)
    message, edge._crc = sealed([body], edge._crc)
    with pytest.raises(WireError) as caught:
        cloud.received(message)
    if not isinstance(caught.value, FrameError):
        with pytest.raises(WireError, match="after the last"):
            cloud.received(edge.bye())
    return caught.value


def refused_by_edge(body: bytes) -> WireError:
    """What an edge raises for this message after the welcome."""
    edge, _ = pair()
    with pytest.raises(WireError) as caught:
        edge.received(sealed([body])[0])
    return caught.value


def test_a_streams_definition() -> None:
    two = b"\2\0" + NAME + b"\2"
    cases: dict[str, tuple[bytes, type[WireError]]] = {
        "a flag": (b"\x12\0" + NAME + b"\1" + TENSOR, WireError),
        "a stream too many": (b"\2\4" + NAME + b"\1" + TENSOR, LimitError),
        "a name that is too long": (b"\2\0\x41" + b"x" * 65 + b"\1" + TENSOR, LimitError),
        "a name that is cut short": (b"\2\0\x20layer3", WireError),
        "a name that is no text": (b"\2\0\1\xff\1" + TENSOR, WireError),
        "no tensor": (b"\2\0" + NAME + b"\0", WireError),
        "seven tensors": (b"\2\0" + NAME + b"\7" + 7 * TENSOR, LimitError),
        "as many tensors as there are numbers": (b"\2\0" + NAME + LONG, LimitError),
        "no dimension": (b"\2\0" + NAME + b"\1\1\0\0\0", ContentError),
        "a dimension of nothing": (b"\2\0" + NAME + b"\1\1\1\0\0\0", ContentError),
        "five dimensions": (b"\2\0" + NAME + b"\1\1\5\1\1\1\1\1\0\0", LimitError),
        "too many elements": (two + 2 * (b"\1\2" + 2 * varint.packed(3000) + b"\0\0"), LimitError),
        "too many parameters": (two + 2 * (b"\1\1\1" + varint.packed(2049) + b"\0"), LimitError),
        "parameters that are not there": (b"\2\0" + NAME + b"\1\1\1\1\0" + varint.packed(4000), WireError),
        "something after it": (b"\2\0" + NAME + b"\1" + TENSOR + b"\0", WireError),
    }
    for name, (body, error) in cases.items():
        with naming(name):
            assert type(refused_by_cloud(body)) is error


def test_a_frame() -> None:
    stream = b"\2\1" + NAME + b"\1" + TENSOR
    for name, body in {
        "a flag": b"\x43\0\1\0\0hash",
        "a stream of which nothing was said": b"\3\0\2\0\0hash",
        "a number that is too far": b"\3\x80\x80\4\1\0\0hash",
        "an id that is too long": b"\3\0\1" + b"\xff" * 10 + b"\0hash",
        "a time before 1970": b"\3\0\1\0\1hash",
        "nothing but its kind": b"\3",
    }.items():
        with naming(name):
            assert not isinstance(refused_by_cloud(body, stream), FrameError)
    for name, body in {
        "parameters that are cut short": b"\3\0\1\0\0has",
        "a deadline that is too long": b"\x23\0\1\0\0" + varint.packed(1 << 32) + b"hash",
        "the deadline that it has anyway": b"\x23\0\1\0\0" + varint.packed(800) + b"hash",
    }.items():
        with naming(name):
            error = refused_by_cloud(body, stream)
            assert isinstance(error, FrameError)
            assert error.number == 0


def test_a_payload_of_several_that_is_said_to_be_longer_than_the_message() -> None:
    stream = b"\2\1" + NAME + b"\2" + 2 * b"\1\1\1\0\0"
    for length in (9, 1 << 26):
        error = refused_by_cloud(b"\3\0\1\0\0" + varint.packed(length) + b"12345678", stream)
        assert isinstance(error, FrameError)
        assert "left" in str(error)


def test_what_else_an_edge_says() -> None:
    for name, body in {
        "a hello again": b"\1" + FINGERPRINT + b"\0\0",
        "a cloud's kind": b"\x0b\0",
        "an unknown kind": b"\6",
        "a bye with more to say": b"\5\0",
        "a bye with a flag": b"\x15",
        "too many numbers": b"\4" + varint.packed(1025) + bytes(1025),
        "a number that is none": b"\4\1" + varint.packed(65536),
        "a number twice": b"\4\2\1" + varint.packed(65535),
        "numbers that are not there": b"\4\5\0",
    }.items():
        with naming(name):
            refused_by_cloud(body)


def test_a_first_message() -> None:
    whole = EdgeConnection().hello(Hello(FINGERPRINT, "top=5", 800, SESSION, (1, 2)))[:-4]
    for name, body in {
        "cut short": whole[:-1],
        "with more to say": whole + b"\0",
        "another flag": b"\x21" + whole[1:],
        "without the flag of what follows": b"\1" + whole[1:],
        "a question that is too long": b"\1" + FINGERPRINT + b"\0" + varint.packed(257) + b"x" * 257,
    }.items():
        with naming(name), pytest.raises(WireError):
            CloudConnection(streams=1, message_bytes=1000).received(sealed([body])[0])
    for message in (b"", b"\1\0\0\0", whole + b"wrong"[:4]):
        with pytest.raises(WireError):
            CloudConnection(streams=1, message_bytes=1000).received(message)


def test_nothing_is_said_of_frames_before_the_welcome() -> None:
    edge, _ = pair()
    _, (stream, first) = edge.frame(frame(0), 0, timings=False)
    for early in (stream, first):
        cloud = CloudConnection(streams=4, message_bytes=1 << 20)
        hello = EdgeConnection().hello(HELLO)
        cloud.received(hello)
        message, _ = sealed([early[:-4]], int.from_bytes(hello[-4:], "little"))
        with pytest.raises(WireError, match="before the cloud's welcome"):
            cloud.received(message)
        with pytest.raises(WireError, match="after the last"):
            cloud.received(message)
    edge, cloud = EdgeConnection(), CloudConnection(streams=4, message_bytes=1 << 20)
    cloud.received(edge.hello(HELLO))
    assert cloud.received(edge.cancel([3])) == Cancel((3,))
    assert cloud.received(edge.bye()) == Bye()


def test_what_a_cloud_says() -> None:
    for name, body in {
        "an edge's kind": b"\3\0\0\0\0",
        "an answer's flag": b"\x49\0\0",
        "an answer without a number": b"\x09\0",
        "steps that there are not": b"\x19\0\0\x20\0",
        "no step": b"\x19\0\0\0",
        "a step that takes too long": b"\x19\0\0\1" + varint.packed((1 << 32) + 1),
        "an answer that is too long": b"\x09\0\0" + bytes((1 << 20) + 1),
        "a message that is too long": b"\x09\0\0" + bytes(1 << 21),
        "a status of 600": b"\x0a\0\0" + varint.packed(200) + b"\0\0",
        "accepted that is no JSON": b"\x1a\0\0\0\0\0\1{",
        "accepted that is NaN": b"\x1a\0\0\0\0\0\3NaN",
        "accepted that is very deep": b"\x1a\0\0\0\0\0" + varint.packed(4000) + b"[" * 4000,
        "a reason that is too long": b"\x0c\x41" + b"x" * 65,
        "a stream beyond all": b"\x0b\x40",
    }.items():
        with naming(name):
            refused_by_edge(body)


def test_what_is_said_of_streams_takes_little_memory() -> None:
    edge, cloud = pair()
    tracemalloc.start()
    for turn in range(200):
        body = b"\2" + bytes((turn % 4,)) + NAME + b"\1\1\1\1\0" + varint.packed(4096) + bytes(4096)
        message, edge._crc = sealed([body], edge._crc)
        cloud.received(message)
    _, peak = tracemalloc.get_traced_memory()
    tracemalloc.stop()
    assert len(cloud._streams) == 4
    assert peak < 100_000


def test_a_message_above_the_clouds_limit_is_not_read() -> None:
    cloud = CloudConnection(streams=4, message_bytes=100)
    edge, _ = pair()
    _, messages = edge.frame(frame(0, bytes(200)), 0, timings=False)
    with pytest.raises(LimitError, match="message"):
        cloud.received(messages[-1])
