"""Any frames of any streams in any order arrive as they were sent, and one message stands for one thing."""

from __future__ import annotations

from dataclasses import replace

from hypothesis import given, settings
from hypothesis import strategies as st
from kits.talking import FINGERPRINT, HELLO, SESSION, WELCOME, pair, same

from shared.wire.frame import EncodedTensor, Frame
from shared.wire.session.cloud import CloudConnection
from shared.wire.session.edge import EdgeConnection
from shared.wire.session.messages import Answered, Arrived, Hello, Welcome

tensors = st.builds(
    EncodedTensor,
    st.integers(0, 65535) | st.sampled_from((1, 17)),
    st.lists(st.integers(1, 9) | st.just(17), min_size=1, max_size=4).map(tuple),
    st.sampled_from((b"", b"abcdefgh", b"abcdXfgh", b"abcd")) | st.binary(max_size=24),
    st.binary(max_size=40),
)
frames = st.builds(
    Frame,
    st.sampled_from(("layer3", "input", "")) | st.text(st.characters(codec="utf-8"), max_size=16),
    st.lists(tensors, min_size=1, max_size=3).map(tuple),
    st.just(FINGERPRINT),
    st.integers(0, (1 << 64) - 1) | st.integers(0, 20),
    st.integers(0, (1 << 64) - 1) | st.integers(0, 20).map(lambda ms: ms * 10**6),
    st.sampled_from((800, 0, 1, (1 << 32) - 1)),
)
numbers = st.lists(st.integers(0, 65535), max_size=20, unique=True).map(tuple)


@settings(deadline=None)
@given(
    st.lists(
        st.tuples(frames, st.integers(0, 3), st.booleans(), st.none() | st.integers(0, 65535)), max_size=12
    )
)
def test_frames_arrive_as_they_were_sent(sent: list[tuple[Frame, int, bool, int | None]]) -> None:
    edge, cloud = pair(first=65530)
    expected = 65530
    for frame, stream, timings, own in sent:
        number, messages = edge.frame(frame, stream, timings=timings, number=own)
        assert number == (expected if own is None else own)
        expected = (expected + (own is None)) % 65536
        *told, found = map(cloud.received, messages)
        assert told in ([], [None])
        assert isinstance(found, Arrived)
        assert (found.number, found.stream, found.timings) == (number, stream, timings)
        assert same(found.frame, frame)


@given(
    st.text(st.characters(codec="utf-8"), max_size=60), st.integers(0, (1 << 32) - 1), numbers, st.booleans()
)
def test_greetings_arrive_as_they_were_sent(
    question: str, deadline_ms: int, unanswered: tuple[int, ...], goes_on: bool
) -> None:
    hello = Hello(FINGERPRINT, question, deadline_ms)
    welcome = replace(WELCOME, frames=1 + deadline_ms % 1024)
    if goes_on:
        hello = replace(hello, session=SESSION, unanswered=unanswered)
        welcome = replace(welcome, resumed=True, received=unanswered[::2])
    edge, cloud = EdgeConnection(), CloudConnection(streams=4, message_bytes=4096)
    assert cloud.received(edge.hello(hello)) == hello
    found = edge.received(cloud.welcome(welcome))
    assert isinstance(found, Welcome)
    assert found == welcome


@given(
    st.integers(0, 65535),
    st.binary(max_size=60),
    st.booleans(),
    st.dictionaries(st.sampled_from(("receive", "decode", "queue", "tail", "top")), st.integers(0, 1 << 32)),
)
def test_answers_arrive_as_they_were_sent(
    number: int, body: bytes, is_json: bool, tenths: dict[str, int]
) -> None:
    edge, cloud = pair()
    sent = Answered(number, body, is_json, {name: value / 10 for name, value in tenths.items()})
    found = edge.received(cloud.answer(sent))
    assert isinstance(found, Answered)
    assert replace(found, body=bytes(found.body)) == sent


@given(numbers)
def test_cancelled_numbers_arrive_in_their_order(cancelled: tuple[int, ...]) -> None:
    edge, cloud = pair(HELLO)
    found = cloud.received(edge.cancel(cancelled))
    assert found is not None
    assert found.numbers == cancelled  # type: ignore[union-attr]
