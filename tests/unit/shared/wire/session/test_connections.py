"""What one side of a connection says is what the other side hears."""

from __future__ import annotations

from dataclasses import replace

import pytest
from kits.talking import CLOUD_ID, FINGERPRINT, HELLO, SESSION, WELCOME, frame, pair, passed, same

from shared.errors import DeadlineError, LimitError, StateMissingError, UnavailableError, WireError
from shared.wire.frame import EncodedTensor
from shared.wire.session.cloud import CloudConnection, FrameError
from shared.wire.session.edge import EdgeConnection
from shared.wire.session.fields import sealed
from shared.wire.session.messages import (
    Answered,
    Arrived,
    Bye,
    Cancel,
    GoAway,
    Hello,
    KeyframeWanted,
    Refused,
    Welcome,
)  # fmt: skip

STEPS = {"receive": 0.3, "decode": 12.4, "queue": 0.0, "tail": 101.9, "top": 0.1}


def test_a_stream_is_told_once_and_again_when_it_changes():
    edge, cloud = pair()
    told = []
    states = (bytes(4), b"abcd", b"efgh", bytes(4), b"eijk")
    for number, state in enumerate(states):
        _, messages = edge.frame(frame(number, state=state), 0, timings=False)
        told.append(len(messages) == 2)
        found = [cloud.received(message) for message in messages][-1]
        assert isinstance(found, Arrived)
        assert same(found.frame, frame(number, state=state))
    assert told == [True, True, False, False, False]
    passed(edge, cloud, frame(9, split_point="layer2"))


def test_streams_and_their_numbers_are_apart():
    edge, cloud = pair(first=65534)
    numbers = [passed(edge, cloud, frame(each, b"x" * each), each % 3).number for each in range(9)]
    assert numbers == [65534, 65535, 0, 1, 2, 3, 4, 5, 6]
    assert edge.next_number == 7


def test_a_frame_is_short():
    edge, cloud = pair()
    for number in range(3):
        passed(edge, cloud, frame(number, state=bytes([number] * 4)))
    _, (message,) = edge.frame(frame(3, b"x" * 300, state=b"hash"), 0, timings=False)
    assert len(message) - 300 == 1 + 1 + 1 + 1 + 2 + 4 + 4


def test_several_tensors_travel_together():
    edge, cloud = pair()
    tensors = tuple(EncodedTensor(1, (8, size), b"", bytes(32 * size)) for size in (1, 2, 3))
    passed(edge, cloud, frame(0, tensors=tensors))
    passed(edge, cloud, frame(1, tensors=tensors[::-1]))
    passed(edge, cloud, frame(2, tensors=tensors[:2]))


def test_a_deadline_travels_only_where_it_is_another():
    edge, cloud = pair()
    sizes = []
    for number, deadline_ms in enumerate((800, 800, 0, 70_000)):
        sent = frame(number, deadline_ms=deadline_ms)
        _, messages = edge.frame(sent, 0, timings=True)
        found = [cloud.received(message) for message in messages][-1]
        assert isinstance(found, Arrived)
        assert same(found.frame, sent)
        sizes.append(len(messages[-1]))
    assert [size - sizes[1] for size in sizes[2:]] == [1, 3]


def test_a_session_goes_on_with_the_numbers_of_its_frames():
    hello = replace(HELLO, session=SESSION, unanswered=(65535, 0, 1, 7))
    edge, cloud = pair(hello, replace(WELCOME, resumed=True, received=(65535, 7)), first=8)
    number, messages = edge.frame(frame(1), 2, timings=False, number=1)
    assert number == 1
    again, found = map(cloud.received, messages)
    assert again is None
    assert isinstance(found, Arrived)
    assert found.number == 1
    assert passed(edge, cloud, frame(8), 2).number == 8


def test_answers_of_both_forms_arrive_with_the_steps_that_were_asked_for():
    edge, cloud = pair()
    for sent in (
        Answered(0, b"", is_json=False),
        Answered(65535, b"\1\2", is_json=False, steps_ms=STEPS),
        Answered(3, b'{"top": []}', is_json=True, steps_ms={"tail": 8.0}),
    ):
        found = edge.received(cloud.answer(sent))
        assert isinstance(found, Answered)
        assert replace(found, body=bytes(found.body)) == sent


def test_what_else_is_said_arrives():
    edge, cloud = pair()
    assert cloud.received(edge.cancel([3, 1, 2])) == Cancel((3, 1, 2))
    assert edge.received(cloud.keyframe(3)) == KeyframeWanted(3)
    assert edge.received(cloud.go_away("drain")) == GoAway("drain")
    for error, expected in (
        (DeadlineError("late", accepted={"ms": 3}), Refused(5, 504, "deadline", "late", {"ms": 3})),
        (UnavailableError("drains"), Refused(5, 503, "unavailable", "drains", None, 1)),
        (StateMissingError("ä" * 5000), Refused(5, 424, "state_missing", "ä" * 2048)),
        (LimitError("long", accepted=["x" * 5000]), Refused(5, 413, "too_large", "long")),
        (LimitError("odd", accepted={1j}), Refused(5, 413, "too_large", "odd")),
    ):
        assert edge.received(cloud.refusal(5, error)) == expected
    assert cloud.received(edge.bye()) == Bye()
    with pytest.raises(WireError, match="after the last"):
        cloud.received(edge.bye())


def test_a_message_that_is_missing_or_there_twice_breaks_the_connection_off():
    for order in ((0, 2), (0, 1, 1), (1, 0)):
        edge, cloud = pair()
        messages = [
            message for number in range(3) for message in edge.frame(frame(number), 0, timings=False)[1]
        ]
        with pytest.raises(WireError, match="CRC") as caught:
            for place in order:
                cloud.received(messages[place])
        assert not isinstance(caught.value, FrameError)
        with pytest.raises(WireError, match="after the last"):
            cloud.received(messages[1])


def test_a_frame_that_is_too_odd_is_refused_alone():
    edge, cloud = pair()
    passed(edge, cloud, frame(0))
    crc = edge._crc
    message, edge._crc = sealed(
        [b"\x23", b"\0\0\2\xc8\1", b"\xa0\6"], crc
    )  # says the deadline that it has without
    with pytest.raises(FrameError, match="deadline") as caught:
        cloud.received(message)
    assert caught.value.number == 1
    edge._last, told = 1, edge._streams[0]
    edge._streams[0] = told.after(frame(1))
    passed(edge, cloud, frame(2))


def test_a_frame_that_cannot_be_sent_changes_nothing():
    edge, cloud = pair(welcome=replace(WELCOME, message_bytes=200))
    passed(edge, cloud, frame(0))
    for odd, stream in (
        (frame(1, bytes(300)), 0),
        (frame(1, fingerprint=bytes(8)), 0),
        (frame(1), 4),
        (frame(1), -1),
        (frame(1, frame_id=-1), 0),
        (frame(1, capture_time_ns=1 << 65), 0),
        (frame(1, deadline_ms=1 << 32), 0),
        (frame(1, split_point="x" * 65), 0),
        (frame(1, tensors=()), 1),
    ):
        with pytest.raises(WireError):
            edge.frame(odd, stream, timings=False)
    with pytest.raises(WireError):
        edge.frame(frame(1), 0, timings=False, number=65536)
    assert passed(edge, cloud, frame(1)).number == 1


def test_greetings_come_first_and_once():
    edge, cloud = EdgeConnection(), CloudConnection(streams=1, message_bytes=100)
    with pytest.raises(WireError, match="welcome"):
        edge.frame(frame(0), 0, timings=False)
    with pytest.raises(WireError, match="hello"):
        edge.received(cloud.welcome(WELCOME))
    with pytest.raises(WireError, match="hello"):
        cloud.received(EdgeConnection().bye())
    edge, cloud = pair()
    with pytest.raises(WireError, match="one hello"):
        edge.hello(HELLO)
    with pytest.raises(WireError, match="kind 8"):
        edge.received(cloud.welcome(WELCOME))
    with pytest.raises(WireError, match="welcome"):
        late = EdgeConnection()
        late.hello(HELLO)
        late.received(cloud.go_away("drain"))


def test_a_session_that_does_not_go_on_has_another_name():
    known = replace(HELLO, session=SESSION, unanswered=(1, 2))
    with pytest.raises(WireError, match="names no other one"):
        pair(known, WELCOME)
    pair(known, replace(WELCOME, session=bytes(16)))
    pair(known, replace(WELCOME, resumed=True))
    pair(HELLO, WELCOME)


def test_another_session_or_frames_that_nobody_named_are_no_welcome():
    known = replace(HELLO, session=SESSION, unanswered=(1, 2))
    for hello, welcome in (
        (HELLO, replace(WELCOME, resumed=True)),
        (known, replace(WELCOME, resumed=True, session=bytes(16))),
        (known, replace(WELCOME, resumed=True, received=(3,))),
    ):
        with pytest.raises(WireError, match="goes on"):
            pair(hello, welcome)
    pair(known, replace(WELCOME, session=bytes(16)))


def test_what_does_not_fit_a_greeting_is_not_said():
    for hello in (
        Hello(b"short", "", 0),
        Hello(FINGERPRINT, "x" * 257, 0),
        Hello(FINGERPRINT, "", -1),
        Hello(FINGERPRINT, "", 0, b"session"),
        Hello(FINGERPRINT, "", 0, b"", (1,)),
        Hello(FINGERPRINT, "", 0, SESSION, (1, 1)),
        Hello(FINGERPRINT, "", 0, SESSION, (65536,)),
        Hello(FINGERPRINT, "\ud800", 0),
    ):
        with pytest.raises(WireError):
            EdgeConnection().hello(hello)
    for welcome in (
        replace(WELCOME, session=b""),
        replace(WELCOME, cloud=CLOUD_ID.upper()),
        replace(WELCOME, frames=0),
        replace(WELCOME, streams=65),
        replace(WELCOME, received=(1,)),
    ):
        with pytest.raises(WireError):
            CloudConnection(streams=1, message_bytes=100).welcome(welcome)
    assert isinstance(pair()[0].received(pair()[1].keyframe(0)), KeyframeWanted)
    assert Welcome(SESSION, CLOUD_ID, 8, 4, 1 << 20) == WELCOME
