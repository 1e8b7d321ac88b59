"""Frames that need the one before: decoded in order, whatever becomes of their answers, and a keyframe is asked for once."""

from __future__ import annotations

import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from kits.chained import add_chained
from kits.cloud import Gate, Server, until
from kits.session_client import Talk, metric

from shared.codecs.coding import encode_frame
from shared.tasks.registry import make_task
from shared.tasks.spec import Wanted
from shared.wire import frame as wire
from shared.wire.session.messages import Answered, KeyframeWanted, Refused

if TYPE_CHECKING:
    from collections.abc import Callable, Iterator

    from kits.chained import Chained

    from shared.network.model import Model
    from shared.wire.frame import Frame

    Makes = Callable[..., Frame]


@pytest.fixture
def codec(monkeypatch: pytest.MonkeyPatch) -> Chained:
    return add_chained(monkeypatch)


@pytest.fixture
def encoder(codec: Chained) -> Chained:
    return codec.for_stream()


@pytest.fixture
def made(model: Model, encoder: Chained) -> Makes:
    """The next frame of a stream; the same number gives the same picture."""

    def make(number: int, encoder: Chained = encoder, **fields: Any) -> Frame:
        given = {"split_point": "flatten", "fingerprint": model.fingerprint, "frame_id": number} | fields
        return encode_frame(_array(number), encoder, **given)

    return make


@pytest.fixture
def top(server: Server, model: Model, pack: Any) -> Callable[[int], list[int]]:
    """The classes of a frame's right answer."""
    return lambda number: [each["class_id"] for each in server.frame(pack(_array(number))).json["top"]]


@pytest.fixture
def busy() -> Iterator[Server]:
    """A cloud whose queue has two places."""
    with Server(queue_capacity=2) as server:
        yield server


def _array(number: int) -> np.ndarray:
    return np.random.default_rng(number).normal(size=512).astype(np.float32)


def _classes(model: Model, said: object) -> list[int]:
    assert isinstance(said, Answered), said
    fields = make_task(model, Wanted(5)).unpack(said.body).fields()
    return [each["class_id"] for each in fields["top"]]


def _everything(talk: Talk, count: int) -> list[Any]:
    return [talk.read() for _ in range(count)]


def test_frames_of_a_stream_are_decoded_in_order_many_at_once(
    server: Server, model: Model, codec: Chained, made: Makes, top: Any
) -> None:
    with Talk(server) as talk:
        sent = {talk.frame(made(number)): number for number in range(24)}
        for said in _everything(talk, 24):
            assert _classes(model, said) == top(sent[said.number])
    assert len(codec.decoded) == 24
    assert codec.decoded.count(bytes(4)) == 1


def test_streams_have_states_of_their_own(
    server: Server, model: Model, codec: Chained, made: Makes, top: Any
) -> None:
    encoders = [codec.for_stream() for _ in range(3)]
    with Talk(server) as talk:
        sent = {}
        for number in range(12):
            frame = made(number, encoders[number % 3])
            sent[talk.frame(frame, stream=number % 3)] = number
        for said in _everything(talk, 12):
            assert _classes(model, said) == top(sent[said.number])
    assert codec.decoded.count(bytes(4)) == 3


def test_a_lost_frame_costs_one_keyframe_and_no_wrong_answer(
    server: Server, model: Model, encoder: Chained, made: Makes, top: Any
) -> None:
    before = metric(server, "keyframes_wanted_total", reason="missing")
    with Talk(server) as talk:
        assert _classes(model, talk.ask(made(1))) == top(1)
        made(2)  # is never sent
        for number in (3, 4, 5):
            talk.frame(made(number))
        heard = _everything(talk, 4)
        assert [each for each in heard if isinstance(each, KeyframeWanted)] == [KeyframeWanted(0)]
        refused = [each for each in heard if isinstance(each, Refused)]
        assert [(each.status, each.reason) for each in refused] == [(424, "state_missing")] * 3
        encoder.forget()
        assert _classes(model, talk.ask(made(6))) == top(6)
        assert _classes(model, talk.ask(made(7))) == top(7)
        made(8)
        talk.frame(made(9))  # another loss
        assert KeyframeWanted(0) in _everything(talk, 2)
    assert metric(server, "keyframes_wanted_total", reason="missing") == before + 2


def test_frames_of_other_streams_do_not_wait(
    server: Server, made: Makes, pack: Any, codec: Chained, monkeypatch: pytest.MonkeyPatch
) -> None:
    async def never(*_: object) -> None:
        """One that is alone goes its whole way on the tails' thread, which others wait for."""

    monkeypatch.setattr(server.service.alone, "take", never)
    held = threading.Event()
    slow = codec.for_stream()
    decode = slow.decode
    slow.decode = lambda *given: decode(*given) if held.wait(100) else None  # type: ignore[method-assign]
    codec.for_stream = lambda: slow  # type: ignore[method-assign]
    first, second = made(1), made(2)
    with Talk(server) as talk:
        waits = {talk.frame(first, stream=0), talk.frame(second, stream=0)}
        assert isinstance(talk.ask(pack(), stream=1), Answered)
        held.set()
        assert {said.number for said in _everything(talk, 2)} == waits


def test_a_cancelled_frame_is_still_decoded(
    server: Server, model: Model, codec: Chained, made: Makes, top: Any
) -> None:
    before = metric(server, "frames_total", outcome="cancelled")
    with Talk(server) as talk:
        assert isinstance(talk.ask(made(1)), Answered)
        with Gate(server) as gate:
            held = talk.frame(made(2))
            until(lambda: bool(gate.batches))
            numbers = [talk.frame(made(number)) for number in (3, 4)]
            talk.send(talk.edge.cancel(numbers))
            until(lambda: metric(server, "frames_total", outcome="cancelled") == before + 2)
            last = talk.frame(made(5))
            gate.open()
        said = {each.number: each for each in _everything(talk, 2)}
        assert said.keys() == {held, last}
        assert _classes(model, said[last]) == top(5)
    assert codec.decoded.count(bytes(4)) == 1


def test_a_late_frame_is_still_decoded(server: Server, model: Model, made: Makes, top: Any) -> None:
    with Talk(server) as talk:
        assert isinstance(talk.ask(made(1)), Answered)
        with Gate(server) as gate:
            talk.frame(made(2))
            until(lambda: bool(gate.batches))
            said = talk.ask(made(3, deadline_ms=20))
            assert isinstance(said, Refused)
            assert said.reason == "deadline"
            gate.open()
        assert isinstance(talk.read(), Answered)
        assert _classes(model, talk.ask(made(4))) == top(4)


def test_a_frame_that_the_queue_has_no_place_for_is_still_decoded(
    busy: Server, model: Model, pack: Any, made: Makes
) -> None:
    with Talk(busy) as talk, Gate(busy) as gate:
        talk.frame(made(1))
        until(lambda: bool(gate.batches))
        for number in (2, 3):
            talk.frame(made(number))
        until(lambda: busy.service.batcher.depth == 2)
        said = talk.ask(made(4))
        assert isinstance(said, Refused)
        assert (said.status, said.reason, said.retry_after_s) == (503, "queue_full", 1)
        gate.open()
        assert all(isinstance(each, Answered) for each in _everything(talk, 3))
        assert isinstance(talk.ask(made(5)), Answered)


def test_a_frame_refused_undecoded_leaves_its_stream_without_state(
    model: Model, encoder: Chained, made: Makes
) -> None:
    with Server(client_frames=1) as server, Talk(server) as talk:
        assert isinstance(talk.ask(made(1)), Answered)
        with Gate(server) as gate:
            talk.frame(made(2))
            until(lambda: bool(gate.batches))
            for number in (3, 4):
                talk.frame(made(number))
            heard = _everything(talk, 3)
            gate.open()
        assert heard.count(KeyframeWanted(0)) == 1
        assert [each.reason for each in heard if isinstance(each, Refused)] == ["over_quota"] * 2
        assert isinstance(talk.read(), Answered)
        encoder.forget()
        assert isinstance(talk.ask(made(5)), Answered)
        assert metric(server, "keyframes_wanted_total", reason="refused") == 1


def test_a_damaged_frame_leaves_its_stream_without_state(server: Server, model: Model, made: Makes) -> None:
    before = metric(server, "keyframes_wanted_total", reason="damaged")
    with Talk(server) as talk:
        frame = made(1)
        (tensor,) = frame.tensors
        short = type(tensor)(tensor.codec_id, tensor.shape, tensor.params, bytes(tensor.payload)[:-4])
        talk.frame(type(frame)(frame.split_point, (short,), *_rest(frame)))
        heard = _everything(talk, 2)
        assert KeyframeWanted(0) in heard
        (refused,) = (each for each in heard if isinstance(each, Refused))
        assert (refused.status, refused.reason) == (422, "bad_content")
    assert metric(server, "keyframes_wanted_total", reason="damaged") == before + 1


def _rest(frame: Frame) -> tuple[Any, ...]:
    return frame.fingerprint, frame.frame_id, frame.capture_time_ns, frame.deadline_ms


def test_a_request_takes_keyframes_only(server: Server, made: Makes) -> None:
    assert server.frame(wire.pack(made(1))).status == 200
    server.frame(wire.pack(made(2))).refused(424, "state_missing")
