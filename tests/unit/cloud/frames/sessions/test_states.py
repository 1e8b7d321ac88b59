"""What all streams may hold."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING, Any

import pytest
from kits.chained import Chained, add_chained
from kits.codecs import tensor

from cloud.bodies.frames import Checked
from cloud.frames.sessions.streams import States, Stream, is_inter, is_keyframe
from shared.codecs import NAMES
from shared.codecs.coding import encode_frame
from shared.errors import LimitError

if TYPE_CHECKING:
    from collections.abc import Callable

    from shared.wire.frame import Frame


@pytest.fixture(autouse=True)
def chained(monkeypatch: pytest.MonkeyPatch) -> Chained:
    return add_chained(monkeypatch)


def _frame(values: int = 100, codec: str = "chained") -> Frame:
    return encode_frame(tensor((values,)), NAMES[codec], split_point="x", fingerprint=bytes(8), frame_id=1)


def _on_a_loop(check: Callable[[], Any]) -> None:
    async def main() -> None:
        check()

    asyncio.run(main())


def _bound(stream: Stream, chained: Chained) -> Chained:
    (codec,) = stream.bound(Checked(_frame(), (chained,))).codecs
    assert isinstance(codec, Chained)
    return codec


def test_the_stream_that_was_used_longest_ago_forgets(chained: Chained) -> None:
    def check() -> None:
        states, streams = States(1000, 10_000), [Stream(number) for number in range(3)]
        decoders = []
        for stream in streams[:2]:
            states.use("a", stream, _frame())
            decoders.append(_bound(stream, chained))
        states.use("a", streams[0], _frame())
        assert _bound(streams[0], chained) is decoders[0]
        states.use("a", streams[2], _frame())
        assert states.of("a") == 800
        assert _bound(streams[0], chained) is decoders[0]
        assert _bound(streams[1], chained) is not decoders[1]

    _on_a_loop(check)


def test_in_all_it_is_that_of_the_client_that_holds_most(chained: Chained) -> None:
    def check() -> None:
        states, many, few = States(2000, 2000), [Stream(0), Stream(1), Stream(2)], Stream(3)
        for stream in many:
            states.use("many", stream, _frame(150))
        states.use("few", few, _frame(100))
        assert (states.of("many"), states.of("few"), states.total()) == (1200, 400, 1600)
        for stream in [*many, few]:
            states.leave("many", stream)
        assert states.total() == 400
        states.leave("few", few)
        states.leave("few", few)
        assert states.total() == 0

    _on_a_loop(check)


def test_a_stream_that_is_too_large_for_any_is_refused() -> None:
    def check() -> None:
        states = States(1000, 10_000)
        with pytest.raises(LimitError, match="1200 bytes"):
            states.require(_frame(300))
        assert states.total() == 0

    _on_a_loop(check)


def test_a_client_has_so_many_streams(chained: Chained) -> None:
    def check() -> None:
        states, streams = States(streams=10), [Stream(number) for number in range(30)]
        for stream in streams:
            states.use("a", stream, _frame(1))
            _bound(stream, chained)
        assert (states.of("a"), states.total()) == (40, 40)
        assert [stream._decoder is not None for stream in streams] == [False] * 20 + [True] * 10
        for stream in streams:
            states.leave("a", stream)
        assert not states._held
        assert not states._sums

    _on_a_loop(check)


def test_what_was_not_decoded_counts_for_nothing(chained: Chained) -> None:
    def check() -> None:
        states, known, new = States(1000, 1000), Stream(0), Stream(1)
        states.use("a", known, _frame())
        for stream in (known, new):
            _bound(stream, chained)
            states.fail("a", stream)
        assert known._decoder is not None
        assert new._decoder is None
        assert states.total() == 400

    _on_a_loop(check)


def test_what_needs_another_frame(chained: Chained) -> None:
    assert is_inter(_frame())
    assert is_keyframe(_frame())
    assert not is_inter(_frame(codec="int8"))
    assert is_keyframe(_frame(codec="int8"))
    encoder = chained.for_stream()
    frames = [
        encode_frame(tensor((9,)), encoder, split_point="x", fingerprint=bytes(8), frame_id=1) for _ in "ab"
    ]
    assert [is_keyframe(frame) for frame in frames] == [True, False]
