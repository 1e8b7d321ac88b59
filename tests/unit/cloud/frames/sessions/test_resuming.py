"""A session outlives its connection: nothing is lost, and nothing is answered twice."""

from __future__ import annotations

from dataclasses import replace
from typing import TYPE_CHECKING, Any

import pytest
from kits.chained import add_chained
from kits.cloud import Gate, Server, until
from kits.codecs import tensor
from kits.session_client import Talk, metric, resuming
from kits.tokens import Tokens, bearing

from shared.codecs.coding import encode_frame
from shared.security.rights import Right
from shared.wire.session.messages import Answered, GoAway, Hello, Refused

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from shared.network.model import Model


@pytest.fixture
def cloud() -> Iterator[Server]:
    with Server() as server:
        yield server


def test_answers_that_did_not_come_are_said_again_and_lost_frames_are_named(cloud: Server, pack: Any) -> None:
    with Talk(cloud) as first:
        with Gate(cloud) as gate:
            under_way = [first.frame(pack(frame_id=number), number) for number in range(3)]
            until(lambda: cloud.service.lifecycle.frames == 3)
            gate.entered()
            first.break_off()
            until(lambda: _broken(cloud))
        until(lambda: metric(cloud, "frames_total", outcome="answered") == 3)
        lost = 77
        with Talk(cloud, hello=resuming(first, *under_way, lost), first=78) as second:
            assert second.welcome
            assert second.welcome.resumed
            assert first.welcome
            assert second.welcome.session == first.welcome.session
            assert second.welcome.received == tuple(under_way)
            said = [second.read() for _ in under_way]
            assert sorted(each.number for each in said if isinstance(each, Answered)) == under_way
            again = second.frame(pack(frame_id=77), number=lost)
            answer = second.read()
            assert isinstance(answer, Answered)
            assert answer.number == again == lost
        assert metric(cloud, "hellos_total", result="resumed") == 1
        assert metric(cloud, "frames_total", outcome="answered") == 4


def test_work_that_is_under_way_goes_on_and_is_answered_by_the_next_connection(
    cloud: Server, pack: Any
) -> None:
    with Talk(cloud) as first, Gate(cloud) as gate:
        number = first.frame(pack())
        gate.entered()
        first.break_off()
        until(lambda: _broken(cloud))
        with Talk(cloud, hello=resuming(first, number)) as second:
            assert second.welcome
            assert second.welcome.received == (number,)
            gate.open()
            answer = second.read()
            assert isinstance(answer, Answered)
            assert answer.number == number
    assert metric(cloud, "frames_total", outcome="answered") == 1


def test_a_refusal_is_said_again_too(cloud: Server, pack: Any) -> None:
    with Talk(cloud) as first:
        said = first.ask(pack(codec_id=999))
        first.break_off()
        until(lambda: _broken(cloud))
        with Talk(cloud, hello=resuming(first, said.number)) as second:
            again = second.read()
    assert isinstance(again, Refused)
    assert (again.number, again.reason) == (said.number, "bad_codec")


def test_frames_that_nobody_waits_for_any_more_are_withdrawn(cloud: Server, pack: Any) -> None:
    with Talk(cloud) as first, Gate(cloud) as gate:
        first.frame(pack())
        gate.entered()
        first.break_off()
        until(lambda: _broken(cloud))
        with Talk(cloud, hello=resuming(first)) as second:
            assert second.welcome
            assert second.welcome.received == ()
            until(lambda: metric(cloud, "frames_total", outcome="cancelled") == 1)
            gate.open()
            assert isinstance(second.ask(pack()), Answered)


def test_a_stream_begins_anew_over_the_next_connection(
    cloud: Server, model: Model, monkeypatch: pytest.MonkeyPatch
) -> None:
    codec = add_chained(monkeypatch)
    encoder = codec.for_stream()

    def made(number: int) -> Any:
        array = tensor((512,), number)
        return encode_frame(
            array, encoder, split_point="flatten", fingerprint=model.fingerprint, frame_id=number
        )

    with Talk(cloud) as first:
        assert isinstance(first.ask(made(1)), Answered)
        first.break_off()
        until(lambda: _broken(cloud))
        with Talk(cloud, hello=resuming(first), first=5) as second:
            encoder.forget()
            for number in (2, 3):
                assert isinstance(second.ask(made(number)), Answered)
    assert codec.decoded.count(bytes(4)) == 2


def test_the_newer_connection_takes_the_place_of_the_older(cloud: Server, pack: Any) -> None:
    with Talk(cloud) as first, Talk(cloud, hello=resuming(first)) as second:
        assert first.read() == GoAway("replaced")
        assert first.ends() == (1000, "replaced")
        assert isinstance(second.ask(pack()), Answered)
        assert metric(cloud, "go_aways_total", reason="replaced") == 1
        assert cloud.metric("sessions") == 1


def test_a_session_that_nobody_comes_back_to_ends(
    cloud: Server, pack: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    with Talk(cloud) as first, Gate(cloud) as gate:
        first.frame(pack())
        gate.entered()
        first.break_off()
        until(lambda: _broken(cloud))
        registry = cloud.service.sessions
        late_s = cloud.service.settings.session_resume_s + 1
        monkeypatch.setattr(registry, "_clock", lambda clock=registry._clock: clock() + late_s)
        until(lambda: cloud.metric("sessions") == 0)
        gate.open()
        until(lambda: metric(cloud, "frames_total", outcome="abandoned") == 1)
        with Talk(cloud, hello=resuming(first, 0)) as second:
            assert second.welcome
            assert not second.welcome.resumed
            assert second.welcome.received == ()
            assert first.welcome
            assert second.welcome.session != first.welcome.session
        assert metric(cloud, "hellos_total", result="lost") == 1
    until(cloud.is_empty)


def test_bye_ends_a_session_at_once(cloud: Server, pack: Any) -> None:
    with Talk(cloud) as talk:
        assert isinstance(talk.ask(pack()), Answered)
        talk.send(talk.edge.bye())
        assert talk.ends() == (1000, "over")
        assert cloud.metric("sessions") == 0


def test_nobody_goes_on_with_another_client_s_session(cloud: Server, pack: Any) -> None:
    with Talk(cloud) as victim:
        said = victim.ask(pack())
        with Talk(cloud, hello=resuming(victim, said.number), source="127.0.0.9") as thief:
            assert thief.welcome
            assert not thief.welcome.resumed
            assert thief.welcome.received == ()
        assert isinstance(victim.ask(pack()), Answered)


def test_nobody_guesses_a_session(cloud: Server) -> None:
    with Talk(cloud) as one, Talk(cloud) as other:
        assert one.welcome
        assert other.welcome
        assert one.welcome.session != other.welcome.session
        for guess in (bytes(16), b"\xff" * 16, bytes([one.welcome.session[0] ^ 1]) + one.welcome.session[1:]):
            hello = Hello(one.first_hello.fingerprint, "", 1000, guess)
            with Talk(cloud, hello=hello) as thief:
                assert thief.welcome
                assert not thief.welcome.resumed


def test_a_token_s_session_goes_on_from_another_address(tmp_path: Path, pack: Any) -> None:
    tokens = Tokens(tmp_path / "tokens")
    with Server(token_file=str(tokens.path)) as server:
        fields = bearing(tokens.of[Right.FRAMES])
        with Talk(server, **fields) as first:
            first.break_off()
            until(lambda: _broken(server))
            with Talk(server, hello=resuming(first), source="127.0.0.7", **fields) as second:
                assert second.welcome
                assert second.welcome.resumed
                assert replace(second.welcome, resumed=False) == first.welcome


def _broken(server: Server) -> bool:
    return any(each.broken_s is not None for each in server.service.sessions._sessions.values())
