"""What a hostile edge may do over a session: it costs the cloud a bounded amount, and others nothing."""

from __future__ import annotations

import contextlib
import struct
import threading
from typing import TYPE_CHECKING, Any

import pytest
from kits.cloud import Server, until
from kits.session_client import BINARY, CONTINUED, PING, TEXT, Talk, masked, metric

from cloud.access.budget import PATIENCE_S
from cloud.frames.sessions.registry import HELLO_S
from shared.wire.session.edge import EdgeConnection
from shared.wire.session.kinds import Kind
from shared.wire.session.messages import Answered, Hello

if TYPE_CHECKING:
    from collections.abc import Iterator


@pytest.fixture
def cloud() -> Iterator[Server]:
    with Server(max_body_bytes=200_000, max_buffered_bytes=400_000, client_body_bytes=300_000) as server:
        yield server


@pytest.fixture
def later(cloud: Server, monkeypatch: pytest.MonkeyPatch) -> Any:
    """Makes it later for who counts how long a message, or a hello, takes."""

    def pass_s(seconds: float) -> None:
        for each in (cloud.service.bodies, cloud.service.sessions):
            monkeypatch.setattr(each, "_clock", lambda clock=each._clock: clock() + seconds)

    return pass_s


def _closed(server: Server, why: str) -> float:
    return metric(server, "connections_closed_total", why=why)


def test_text_ends_the_connection(cloud: Server) -> None:
    with Talk(cloud) as talk:
        talk.connection.send(masked(b"hello", TEXT))
        code, text = talk.ends() or (0, "")
    assert (code, text.split(":")[0]) == (1003, "bad_frame")
    assert _closed(cloud, "protocol") == 1
    assert cloud.metric("rejected_total", reason="bad_frame") == 1


def test_bytes_that_are_no_message_end_the_connection(cloud: Server, pack: Any) -> None:
    for number, bad in enumerate((b"", b"\0", b"\xff" * 40, pack(), bytes(5000))):
        with Talk(cloud) as talk:
            talk.send(bad)
            assert (talk.ends() or (0,))[0] == 1002, bad[:8]
        assert _closed(cloud, "protocol") == number + 1
    with Talk(cloud, greet=False) as talk:  # before any hello, too
        talk.send(pack())
        assert (talk.ends() or (0,))[0] == 1002


def test_a_hello_that_never_comes_is_not_waited_for(cloud: Server, later: Any) -> None:
    with Talk(cloud, greet=False) as talk:
        assert talk.status == 101
        later(HELLO_S + 1)
        for _ in range(3):  # until it has closed
            cloud.loop.call_soon_threadsafe(cloud.service.sessions.tend, ())
        cloud.turned()
        assert talk.ends() == (1008, "no hello")
    assert _closed(cloud, "silent") == 1
    assert cloud.metric("sessions") == 0


def test_a_second_hello_ends_the_connection(cloud: Server) -> None:
    with Talk(cloud) as talk:
        talk.send(EdgeConnection().hello(talk.first_hello))
        assert (talk.ends() or (0,))[0] == 1002


def test_a_question_that_nobody_can_answer_is_refused(cloud: Server) -> None:
    fingerprint = cloud.service.network.model.fingerprint
    for question in ("top=0", "top=1&top=2", "threshold=2", "&".join(["a=1"] * 60), "top=%ff"):
        with Talk(cloud, greet=False) as talk:
            talk.send(talk.edge.hello(Hello(fingerprint, question, 1000)))
            code, text = talk.ends() or (0, "")
            assert (code, text.split(":")[0]) == (1008, "bad_body"), question


def test_a_message_above_the_limit_ends_the_connection_before_it_comes(cloud: Server) -> None:
    with Talk(cloud) as talk:
        talk.connection.send(masked(b"", declared=200_001))
        assert talk.ends() == (1009, "message too big")
    with Talk(cloud) as talk:
        talk.connection.send(masked(b"", declared=1 << 62))
        assert talk.ends() == (1009, "message too big")
    with Talk(cloud) as talk:  # in pieces
        talk.connection.send(masked(bytes(150_000), final=False))
        talk.connection.send(masked(bytes(1), CONTINUED, final=False, declared=50_001))
        assert talk.ends() == (1009, "message too big")
    assert cloud.service.buffered_bytes == 0


def test_half_a_message_is_counted_as_it_comes_and_not_waited_for(cloud: Server, later: Any) -> None:
    with Talk(cloud) as talk:
        talk.connection.send(masked(bytes(100_000), declared=200_000))
        until(lambda: cloud.service.buffered_bytes == 100_000)
        later(PATIENCE_S + 30)
        code, text = talk.ends() or (1013, "slow_body:")  # cut off, with what was still to be sent
        assert (code, text.split(":")[0]) == (1013, "slow_body")
    until(lambda: cloud.service.buffered_bytes == 0)
    assert _closed(cloud, "memory") == 1
    assert cloud.metric("rejected_total", reason="slow_body") == 1


def test_pieces_of_a_message_are_counted_together(cloud: Server) -> None:
    with Talk(cloud) as talk:
        talk.connection.send(masked(bytes(60_000), final=False))
        talk.connection.send(masked(bytes(60_000), CONTINUED, final=False))
        until(lambda: cloud.service.buffered_bytes == 120_000)
        talk.connection.send(masked(b"there?", PING))
    until(lambda: cloud.service.buffered_bytes == 0)


def test_short_pieces_of_a_message_are_counted_and_not_waited_for(cloud: Server, later: Any) -> None:
    with Talk(cloud) as talk:
        talk.connection.send(masked(bytes(100), final=False))
        until(lambda: cloud.service.buffered_bytes == 100)
        talk.connection.send(b"".join(masked(bytes(125), CONTINUED, final=False) for _ in range(400)))
        until(lambda: cloud.service.buffered_bytes == 50_100)
        later(PATIENCE_S + 30)
        talk.ends()
    until(lambda: cloud.service.buffered_bytes == 0)
    assert cloud.metric("rejected_total", reason="slow_body") == 1


def test_half_a_message_of_a_connection_that_closes_is_not_waited_for(cloud: Server, later: Any) -> None:
    with Talk(cloud) as talk:
        talk.connection.send(masked(b"hello", TEXT))
        assert (talk.ends() or (0,))[0] == 1003
        talk.connection.send(masked(bytes(100_000), declared=200_000))
        until(lambda: cloud.service.buffered_bytes == 100_000)
        later(PATIENCE_S + 30)
        until(lambda: cloud.service.buffered_bytes == 0)
        with contextlib.suppress(OSError):
            talk.connection.send(bytes(50_000))
        until(lambda: cloud.metric("connections") == 0)
    assert cloud.service.buffered_bytes == 0


def test_one_client_s_messages_have_their_share_of_memory(cloud: Server, pack: Any) -> None:
    with Talk(cloud) as one, Talk(cloud) as other, Talk(cloud) as third:
        for talk in (one, other):
            talk.connection.send(masked(bytes(140_000), declared=200_000))
        until(lambda: cloud.service.buffered_bytes == 280_000)
        third.connection.send(masked(bytes(100_000), declared=200_000))
        third.ends()
        assert _closed(cloud, "memory") == 1
        with Talk(cloud, source="127.0.0.8") as stranger:
            assert isinstance(stranger.ask(pack()), Answered)


def test_a_flood_of_frames_is_refused_and_its_answers_wait_in_bounds(cloud: Server, pack: Any) -> None:
    """Whoever reads nothing of a thousand refusals is cut off, and others are answered meanwhile."""
    bad = pack(codec_id=999)
    with Talk(cloud) as flood, Talk(cloud, source="127.0.0.8") as other:
        sent = threading.Thread(target=_flood, args=(flood, bad), daemon=True)
        sent.start()
        for _ in range(20):
            assert isinstance(other.ask(pack()), Answered)
        sent.join(60)
        flood.break_off()
    until(cloud.is_empty)
    assert cloud.metric("rejected_total", reason="bad_codec") > 50


def _flood(talk: Talk, data: bytes) -> None:
    try:
        for _ in range(500):
            talk.frame(data)
    except OSError:
        pass


def test_more_frames_under_way_than_a_session_may_have_are_refused(pack: Any) -> None:
    with Server() as server, Talk(server) as talk:
        assert talk.welcome
        most = talk.welcome.frames
        assert most == 64
        held = threading.Event()
        server.occupy(server.service.pools.tails, held)
        data = [pack(frame_id=number) for number in range(most + 3)]
        for number, each in enumerate(data):
            talk.frame(each, number % talk.welcome.streams)
        refused = [talk.read() for _ in range(3)]
        assert {each.reason for each in refused} <= {"over_quota", "queue_full"}  # type: ignore[union-attr]
        held.set()
        assert sum(isinstance(talk.read(), Answered) for _ in range(most)) == most


def test_streams_without_end_are_refused(cloud: Server, pack: Any) -> None:
    with Talk(cloud) as talk:
        assert talk.welcome
        with pytest.raises(Exception, match=r"."):
            talk.frame(pack(), talk.welcome.streams)
        message = _definition(talk.welcome.streams)
        talk.send(message)
        assert (talk.ends() or (0,))[0] == 1002


def _definition(stream: int) -> bytes:
    """A message that says something of a stream of this number, the CRC being wrong or right: both end the connection."""
    return bytes((Kind.STREAM, stream)) + struct.pack("<I", 0)


def test_as_many_sessions_are_open_as_there_may_be(pack: Any) -> None:
    with Server(sessions=2) as server, Talk(server) as one:
        with Talk(server, greet=False) as second:  # half of them are one client's
            assert second.status == 429
        with Talk(server, source="127.0.0.2"):
            with Talk(server, greet=False, source="127.0.0.3") as third:
                assert third.status == 503
            assert server.metric("rejected_total", reason="sessions_full") == 1
            assert isinstance(one.ask(pack()), Answered)


def test_a_broken_session_gives_way_to_a_new_one() -> None:
    with Server(sessions=2) as server:
        with Talk(server):
            pass
        until(lambda: any(each.broken_s is not None for each in server.service.sessions._sessions.values()))
        with Talk(server):
            assert server.metric("sessions") == 1


def test_a_continuation_of_nothing_ends_the_connection(cloud: Server) -> None:
    for bad in (masked(b"x", CONTINUED), masked(b"x", 3), masked(bytes(126), PING), b"\xf2\x80" + bytes(4)):
        with Talk(cloud) as talk:
            talk.connection.send(bad)
            talk.ends()
    with Talk(cloud) as talk:
        talk.connection.send(masked(b"x", BINARY, final=False) * 2)
        talk.ends()
    until(cloud.is_empty)
