"""Both sides of a session's connection, and frames as a stream codec makes them."""

from __future__ import annotations

from dataclasses import replace

from shared.wire.frame import EncodedTensor, Frame
from shared.wire.session.cloud import CloudConnection
from shared.wire.session.edge import EdgeConnection
from shared.wire.session.messages import Arrived, Hello, Welcome

FINGERPRINT = bytes.fromhex("0123456789abcdef")
SESSION = bytes(range(16))
CLOUD_ID = "00112233aabbccdd"
PROFILE = bytes(range(200, 216))
MESSAGE_BYTES = 1 << 20
START_NS = 1_764_460_800_000_000_000
HELLO = Hello(FINGERPRINT, "top=5", 800)
WELCOME = Welcome(SESSION, CLOUD_ID, 8, 4, MESSAGE_BYTES)


def frame(number: int, payload: bytes = b"payload", *, state: bytes = bytes(4), **fields) -> Frame:
    """The frame of this number of a camera with 10 frames a second, coded by `calibrated-inter`."""
    tensors = (EncodedTensor(17, (256, 14, 14), PROFILE + state, payload),)
    given = Frame(
        "layer3", tensors, FINGERPRINT, 0xA1B2C3D4 << 32 | number, START_NS + number * 100_000_000, 800
    )
    return replace(given, **fields)


def pair(
    hello: Hello = HELLO, welcome: Welcome = WELCOME, first: int = 0
) -> tuple[EdgeConnection, CloudConnection]:
    """Both sides of a connection after hello and welcome."""
    edge = EdgeConnection(first)
    cloud = CloudConnection(streams=welcome.streams, message_bytes=welcome.message_bytes)
    assert cloud.received(edge.hello(hello)) == hello
    assert edge.received(cloud.welcome(welcome)) == welcome
    return edge, cloud


def passed(
    edge: EdgeConnection, cloud: CloudConnection, sent: Frame, stream: int = 0, *, timings: bool = False
) -> Arrived:
    """The frame as it arrives, and that it is what was sent."""
    number, messages = edge.frame(sent, stream, timings=timings)
    *definitions, found = map(cloud.received, messages)
    assert definitions in ([], [None])
    assert isinstance(found, Arrived)
    assert (found.number, found.stream, found.timings) == (number, stream, timings)
    assert same(found.frame, sent)
    return found


def same(found: Frame, sent: Frame) -> bool:
    """Whether it is the frame that was sent, whose capture time travels in whole milliseconds."""
    tensors = tuple(replace(each, payload=bytes(each.payload)) for each in found.tensors)
    time_ns = sent.capture_time_ns // 1_000_000 * 1_000_000
    return replace(found, tensors=tensors) == replace(sent, capture_time_ns=time_ns)
