"""How a cloud with sessions stops."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from kits.cloud import Gate, Server, until
from kits.session_client import Talk, metric, resuming

from shared.wire.session.messages import Answered, GoAway, Refused

if TYPE_CHECKING:
    import pytest


def test_a_cloud_that_drains_says_so_and_answers_what_is_under_way(pack: Any) -> None:
    with Server() as server, Talk(server) as talk:
        with Gate(server) as gate:
            number = talk.frame(pack())
            gate.entered()
            stopping = server.stop_service()
            assert talk.read() == GoAway("drain")
            late = talk.ask(pack())
            assert isinstance(late, Refused)
            assert (late.status, late.reason) == (503, "unavailable")
            with Talk(server, greet=False, source="127.0.0.2") as other:
                assert other.status == 503
            gate.open()
            said = talk.read()
            assert isinstance(said, Answered)
            assert said.number == number
        stopping.result(60)
        assert metric(server, "go_aways_total", reason="drain") == 1


def test_frames_that_are_not_answered_within_the_drain_time_are_refused(
    pack: Any, expect_log: pytest.LogCaptureFixture
) -> None:
    with Server(drain_s=0) as server, Talk(server) as talk, Gate(server) as gate:
        number = talk.frame(pack())
        gate.entered()
        stopping = server.stop_service()
        assert talk.read() == GoAway("drain")
        late = talk.read()
        assert isinstance(late, Refused)
        assert (late.number, late.status, late.reason) == (number, 503, "unavailable")
        assert talk.ends() == (1000, "over")
        gate.open()
        stopping.result(60)
        assert metric(server, "frames_total", outcome="refused") == 1
    assert "were not finished" in expect_log.text


def test_a_frame_that_crosses_the_drain_of_an_idle_cloud_is_refused(pack: Any) -> None:
    with Server() as server, Talk(server) as talk:
        stopping = server.stop_service()
        assert talk.read() == GoAway("drain")
        late = talk.ask(pack())
        assert isinstance(late, Refused)
        assert (late.status, late.reason) == (503, "unavailable")
        talk.send(talk.edge.bye())
        assert talk.ends() == (1000, "over")
        stopping.result(60)


def test_a_connection_that_breaks_in_a_drain_may_be_made_again(pack: Any) -> None:
    with Server() as server, Gate(server) as gate:
        talk = Talk(server)
        number = talk.frame(pack())
        gate.entered()
        stopping = server.stop_service()
        assert talk.read() == GoAway("drain")
        talk.break_off()
        until(lambda: server.service.sessions.awaits("127.0.0.1"))
        with Talk(server, greet=False) as new:
            assert new.status == 101
            new.send(new.edge.hello(new.first_hello))  # of no session
            assert (new.ends() or (0,))[0] == 1008
        with Talk(server, hello=resuming(talk, number)) as again:
            assert again.read() == GoAway("drain")
            gate.open()
            assert isinstance(again.read(), Answered)
        stopping.result(60)
