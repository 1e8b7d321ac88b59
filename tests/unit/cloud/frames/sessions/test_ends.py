"""The end of a frame, whenever it comes: nothing of it stays."""

from __future__ import annotations

import json
import threading
from typing import TYPE_CHECKING, Any

import numpy as np
import pytest
from kits.chained import Chained, add_chained
from kits.cloud import WAIT_S, Server, until
from kits.session_client import Talk, masked, metric

from cloud.frames.sessions.session import Session
from shared.codecs.coding import encode_frame
from shared.errors import WireError
from shared.wire.frame import unpack
from shared.wire.server.attention import EVENT, FRAME, REQUEST, Attention
from shared.wire.session.messages import Answered, KeyframeWanted, Refused

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from shared.network.model import Model
    from shared.wire.frame import Frame


@pytest.fixture
def cloud() -> Iterator[Server]:
    with Server() as server:
        yield server


def _left(server: Server) -> tuple[int, int, int]:
    accounts = server.service.clients._accounts.values()
    return (
        server.service.lifecycle.frames,
        server.service.buffered_bytes,
        sum(each.frames for each in accounts),
    )


def test_a_frame_that_is_withdrawn_before_it_began_leaves_nothing(cloud: Server, pack: Any) -> None:
    with Talk(cloud) as talk:
        for _ in range(5):
            number = talk.edge.next_number
            _, messages = talk.edge.frame(unpack(pack()), 0, timings=False)
            talk.connection.send(b"".join(map(masked, [*messages, talk.edge.cancel((number,))])))
        assert isinstance(talk.ask(pack()), Answered)
        until(lambda: _left(cloud) == (0, 0, 0))
        assert metric(cloud, "frames_total", outcome="cancelled") == 5


def test_a_session_that_ends_with_its_first_frame_leaves_nothing(cloud: Server, pack: Any) -> None:
    with Talk(cloud) as talk:
        _, messages = talk.edge.frame(unpack(pack()), 0, timings=False)
        talk.connection.send(b"".join(map(masked, [*messages, talk.edge.bye()])))
        talk.ends()
    until(lambda: metric(cloud, "frames_total", outcome="abandoned") == 1)
    assert _left(cloud) == (0, 0, 0)


def test_two_frames_of_one_number_at_once_leave_nothing(cloud: Server, pack: Any) -> None:
    with Talk(cloud) as talk:
        sent = []
        for _ in range(2):
            sent += talk.edge.frame(unpack(pack()), 0, timings=False, number=7)[1]
        talk.connection.send(b"".join(map(masked, sent)))
        assert isinstance(talk.read(), Answered)
        until(lambda: _left(cloud) == (0, 0, 0))
    assert metric(cloud, "frames_total", outcome="abandoned") == 1


def test_frames_that_nobody_waits_for_any_more_take_no_place_of_others(
    model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    """They are still decoded, as their stream goes on."""
    held, decode = threading.Event(), Chained.decode
    monkeypatch.setattr(Chained, "decode", lambda *given: held.wait(WAIT_S) and decode(*given))
    encoder = add_chained(monkeypatch).for_stream()

    def frame(number: int) -> Frame:
        array = np.random.default_rng(number).normal(size=512).astype(np.float32)
        about: Any = {"split_point": "flatten", "fingerprint": model.fingerprint, "frame_id": number}
        return encode_frame(array, encoder, **about)

    with Server(client_frames=2) as server, Talk(server) as talk:
        withdrawn = [talk.frame(frame(number)) for number in range(2)]
        talk.send(talk.edge.cancel(withdrawn))
        kept = [talk.frame(frame(number)) for number in range(2, 4)]
        talk.frame(frame(4))  # after them, and there are two
        assert talk.read() == KeyframeWanted(0)
        late = talk.read()
        assert isinstance(late, Refused)
        assert late.reason == "over_quota"
        held.set()
        said = [talk.read() for _ in kept]
        assert {each.number for each in said if isinstance(each, Answered)} == set(kept), said
        assert metric(server, "frames_total", outcome="cancelled") == 2


def test_nothing_of_a_refused_frame_is_kept_but_what_was_said_of_it(cloud: Server, pack: Any) -> None:
    with Talk(cloud) as talk:
        for number in range(4):
            assert isinstance(talk.ask(pack(frame_id=number, codec_id=999)), Refused)
        (session,) = cloud.service.sessions._sessions.values()
        assert isinstance(session, Session)
        kept = session._kept.keep(range(4))
    assert len(kept) == 4
    assert {type(each) for each in kept.values()} == {bytes}


def test_a_frame_that_cannot_be_read_is_in_the_ledger(
    tmp_path: Path, pack: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(*_: object) -> None:
        raise WireError("no")

    path = tmp_path / "ledger"
    with Server(ledger=str(path)) as server, Talk(server) as talk:
        assert isinstance(talk.ask(pack()), Answered)
        monkeypatch.setattr("shared.wire.session.cloud.read_rest", refuse)
        assert isinstance(talk.ask(pack()), Refused)
    lines = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(each["outcome"], each["reason"]) for each in lines] == [
        ("answered", None),
        ("refused", "bad_frame"),
    ]


def test_a_stream_whose_frames_are_not_decoded_holds_nothing(
    cloud: Server, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    encoder = add_chained(monkeypatch).for_stream()
    about: Any = {"split_point": "flatten", "fingerprint": model.fingerprint, "frame_id": 1}
    frames = [encode_frame(np.ones(512, np.float32), encoder, **about) for _ in range(2)]
    states = cloud.service.sessions.states
    with Talk(cloud) as talk:
        for stream in range(5):
            talk.frame(frames[1], stream)  # which needs the one before
            assert {type(talk.read()) for _ in range(2)} == {KeyframeWanted, Refused}
        assert (states.total(), states._held) == (0, {})
        assert isinstance(talk.ask(frames[0], 7), Answered)
        assert states.total() == 4 * 512
    until(lambda: metric(cloud, "frames_total", outcome="answered") == 1)


def test_each_frame_takes_its_share_of_the_loop_s_attention(
    cloud: Server, pack: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    spent, count = [], Attention._count
    monkeypatch.setattr(
        Attention, "_count", lambda self, owner, cost: (spent.append(cost), count(self, owner, cost))
    )
    with Talk(cloud) as talk:
        for frame, kind in ((pack(), Answered), (pack(codec_id=999), Refused)):
            spent.clear()
            assert all(isinstance(talk.ask(frame), kind) for _ in range(20))
            assert 20 * FRAME < sum(spent) < 20 * (REQUEST + EVENT)
