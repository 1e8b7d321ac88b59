"""Connections within their limits: who gives way, and who is cut off."""

from __future__ import annotations

from typing import TYPE_CHECKING, Any

from shared.limits import MAX_UNREAD_BYTES
from shared.wire.server.crowd import Crowd

if TYPE_CHECKING:
    import pytest


class Stream:
    """What the crowd asks of a stream."""

    def __init__(self, idle_since_s: float | None = None) -> None:
        self.idle_since_s = idle_since_s
        self.written = 0
        self.unread = 0
        self.is_closed = False

    def writing(self) -> bool:
        return self.unread > 0

    def unread_bytes(self) -> int:
        return self.unread

    def close(self) -> None:
        self.is_closed = True


class Party:
    def __init__(self, most: int = 6, most_of_one: int = 4, **more: Any) -> None:
        self.now_s = 0.0
        self.closed: list[str] = []
        self.crowd = Crowd(
            most,
            most_of_one,
            20.0,
            closed=lambda why, _owner: self.closed.append(why),
            clock=lambda: self.now_s,
            **more,
        )

    def come(self, address: str, idle_since_s: float | None = None) -> Stream | None:
        if not self.crowd.make_room(address):
            return None
        stream = Stream(idle_since_s)
        self.crowd.add(stream, address)  # type: ignore[arg-type]
        return stream


def test_an_owner_with_all_its_connections_closes_its_longest_idle_one() -> None:
    party = Party()
    busy, old, new, other = (party.come("a", since) for since in (None, 5.0, 7.0, None))
    assert party.come("a") is not None
    assert [stream.is_closed for stream in (busy, old, new, other) if stream] == [False, True, False, False]
    assert party.closed == ["displaced"]
    assert len(party.crowd) == 4


def test_an_owner_whose_connections_are_all_busy_gets_no_other_and_others_do() -> None:
    party = Party()
    assert all(party.come("a") for _ in range(4))
    assert party.come("a") is None
    assert party.closed == ["refused"]
    assert party.come("b")


def test_when_all_places_are_taken_the_owner_with_most_gives_way() -> None:
    party = Party()
    many = [party.come("a", float(number)) for number in range(4)]
    two = [party.come("b", 0.0) for _ in range(2)]
    assert party.come("c")
    assert [stream.is_closed for stream in many if stream] == [True, False, False, False]
    assert not any(stream.is_closed for stream in two if stream)
    assert all(party.come(owner) for owner in "def")
    assert party.come("g") is None  # all have one
    assert party.closed == ["displaced"] * 4 + ["refused"]
    party.now_s = 4.0  # what is left of a was idle since 3
    assert party.come("g")
    assert [stream.is_closed for stream in two if stream] == [True, True]
    assert len(party.crowd) == 6


def test_where_the_owner_with_most_is_busy_the_next_gives_way() -> None:
    party = Party(most=7)
    assert all(party.come("a") for _ in range(4))
    idle = [party.come("b", 1.0) for _ in range(3)]
    assert party.come("c")
    assert [stream.is_closed for stream in idle if stream] == [True, False, False]


def test_a_connection_belongs_to_whom_its_requests_are_from() -> None:
    party = Party()
    honest = [party.come("nat", 1.0) for _ in range(2)]
    for stream in honest:
        party.crowd.own(stream, "token of an edge")
        party.crowd.own(stream, "token of an edge")
    strangers = [
        party.come("nat", 9.0) for _ in range(4)
    ]  # as many as one owner may have, at the same address
    assert all(strangers)
    assert party.come("nat")
    assert not any(stream.is_closed for stream in honest if stream)
    assert sum(stream.is_closed for stream in strangers if stream) == 1
    for stream in honest:
        party.crowd.remove(stream)  # type: ignore[arg-type]
        party.crowd.remove(stream)  # type: ignore[arg-type]
    assert len(party.crowd) == 4
    party.crowd.own(Stream(), "nobody that is here")


def test_a_proxy_of_many_clients_is_bounded_by_the_whole_only() -> None:
    party = Party(exempt=lambda address: address == "proxy", owner_of=str.upper)
    assert all(party.come("proxy", 1.0) for _ in range(6))
    assert party.closed == []
    assert party.come("other")
    assert party.closed == ["displaced"]


def test_an_answer_of_which_nothing_is_taken_is_given_up() -> None:
    party = Party()
    stuck, slow, idle = party.come("a"), party.come("b"), party.come("c", 0.0)
    assert stuck
    assert slow
    assert idle
    stuck.unread = slow.unread = 1000
    for second in range(1, 100):
        party.now_s = float(second)
        slow.written += 1
        party.crowd.sweep()
        assert stuck.is_closed == (second >= 20), second
    assert not slow.is_closed
    assert not idle.is_closed
    assert party.closed == ["unread"]
    assert len(party.crowd) == 2


def test_a_client_that_read_its_last_answer_has_all_the_time_for_the_next() -> None:
    party = Party()
    stream = party.come("a")
    assert stream
    party.now_s = 1000.0
    party.crowd.sweep()
    stream.unread = 5
    for second in range(1001, 1019):
        party.now_s = float(second)
        party.crowd.sweep()
    assert not stream.is_closed


def test_the_answers_that_wait_for_one_client_are_bounded_together() -> None:
    party = Party()
    streams = [party.come("a") for _ in range(4)]
    other = party.come("b")
    assert other
    other.unread = MAX_UNREAD_BYTES
    for number, stream in enumerate(streams):
        assert stream
        stream.unread = MAX_UNREAD_BYTES // 4 + number
    party.crowd.sweep()
    assert [stream.is_closed for stream in streams if stream] == [False, False, False, True]
    assert not other.is_closed


def test_each_kind_of_trouble_is_a_line_a_minute(caplog: pytest.LogCaptureFixture) -> None:
    party = Party(most_of_one=1)
    party.come("a")
    for second in range(121):
        party.now_s = float(second)
        for _ in range(50):
            assert party.come("a") is None
            party.crowd.note_pause(OSError(24, "Too many open files"))
    assert len(caplog.records) == 6
    assert "Too many open files" in caplog.text
    assert party.closed.count("paused") == party.closed.count("refused") == 121 * 50


def test_an_owner_that_only_requests_name_has_no_more_connections_than_others() -> None:
    """Each came from an address that had few by then, as the earlier ones had become the token's."""
    party = Party(most=20)
    for _ in range(4):
        stream = party.come("address")
        assert party.crowd.own(stream, "token")
    assert party.closed == []
    fifth = party.come("address")
    assert not party.crowd.own(fifth, "token")
    assert party.closed == ["refused"]
    assert party.crowd.own(fifth, "token")  # it is its own now; whoever refused the request closes it
    party.crowd.remove(fifth)  # type: ignore[arg-type]
    assert party.crowd.own(party.come("address"), "another")


def test_an_idle_connection_of_that_owner_makes_room_unless_a_proxy_holds_it() -> None:
    party = Party(most=20, exempt=lambda address: address == "proxy")
    for address, closed in (("address", True), ("proxy", False)):
        owner = f"token by {address}"
        idle = party.come(address, 5.0)
        busy = [party.come(address) for _ in range(4)]
        assert idle
        assert [party.crowd.own(stream, owner) for stream in (idle, *busy)] == [True] * 5, address
        assert idle.is_closed == closed, address
    assert party.closed == ["displaced"]
