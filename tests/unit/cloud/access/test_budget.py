"""Memory for bodies: a budget for all, a share for each, a reserve for frames, and no place for bodies that never end."""

from __future__ import annotations

from typing import TYPE_CHECKING

import pytest

from cloud.access.budget import PATIENCE_S, BodyBudget
from cloud.access.clients import Clients, Quota
from cloud.access.refusals import BusyError, DisplacedError, OverQuotaError, SlowBodyError

if TYPE_CHECKING:
    from cloud.access.budget import Place
    from shared.errors import RequestError


class Request:
    """Whose place it is; releases it when it is given up, as the handler does."""

    def __init__(self, room: Room, client: str, *, is_frame: bool = True) -> None:
        self.room = room
        self.errors: list[RequestError] = []
        self.place: Place = room.budget.open(self, room.clients.account(client), is_frame=is_frame)

    def give_up(self, error: RequestError) -> None:
        self.errors.append(error)
        self.room.budget.release(self.place)

    def take(self, size: int) -> Request:
        self.room.budget.reserve(self.place, size)
        return self


class Room:
    def __init__(self, limit: int = 1000, share: int = 2000) -> None:
        self.now_s = 0.0
        self.seen = [0]
        self.clients = Clients(Quota(100, share))
        self.budget = BodyBudget(limit, lambda: self.now_s, min_rate=10.0, changed=self.seen.append)

    def request(self, client: str, *, is_frame: bool = True) -> Request:
        return Request(self, client, is_frame=is_frame)

    def held(self, client: str) -> int:
        return self.clients.account(client).body_bytes


def test_what_arrived_counts_and_is_given_back_once() -> None:
    room = Room()
    one = room.request("a").take(300).take(100)
    assert (room.budget.size, room.held("a"), room.seen[-1]) == (400, 400, 400)
    room.budget.release(one.place)
    room.budget.release(one.place)
    assert (room.budget.size, room.held("a"), room.seen[-1]) == (0, 0, 0)


def test_a_client_has_its_share_and_no_more() -> None:
    room = Room(share=500)
    room.request("a").take(400)
    with pytest.raises(OverQuotaError, match="400 bytes, and 101 more") as refused:
        room.request("a").take(101)
    assert refused.value.accepted == {"bytes_under_way": 500}
    room.request("a").take(100)
    room.request("b").take(500)
    assert (room.held("a"), room.held("b")) == (500, 500)


def test_the_last_quarter_is_for_frames() -> None:
    room = Room()
    room.request("a", is_frame=False).take(750)
    with pytest.raises(BusyError, match="too many request bodies"):
        room.request("a", is_frame=False).take(1)
    room.request("a").take(250)
    with pytest.raises(BusyError):
        room.request("a").take(1)
    assert room.budget.size == 1000


def test_what_is_no_frame_takes_from_frames_only_what_is_beyond_their_reserve() -> None:
    room = Room()
    frames = [room.request("many").take(100) for _ in range(5)]
    room.budget.complete(room.request("b", is_frame=False).take(490).place)
    room.budget.complete(room.request("c", is_frame=False).take(150).place)
    assert (sum(bool(each.errors) for each in frames), room.held("many")) == (2, 300)
    with pytest.raises(BusyError):  # another hundred would leave them less than a quarter
        room.request("d", is_frame=False).take(61)
    assert room.held("many") == 300
    room.request("d", is_frame=False).take(60)


def test_frames_displace_json_and_json_no_frames_when_it_has_its_three_quarters() -> None:
    room = Room()
    frame = room.request("many").take(240)
    room.budget.complete(room.request("b", is_frame=False).take(400).place)
    rest = room.request("others", is_frame=False).take(345)
    with pytest.raises(BusyError):
        room.request("b", is_frame=False).take(6)
    assert (frame.errors, rest.errors) == ([], [])
    room.request("c").take(100)
    assert (frame.errors, [type(error) for error in rest.errors]) == ([], [DisplacedError])


def test_a_client_with_little_takes_the_place_of_the_largest_body_of_the_one_with_most() -> None:
    room = Room()
    small, large = room.request("greedy").take(100), room.request("greedy").take(500)
    other = room.request("other").take(400)
    honest = room.request("honest").take(50)
    assert [type(error) for error in large.errors] == [DisplacedError]
    assert (small.errors, other.errors, honest.errors) == ([], [], [])
    assert room.budget.size == 550


def test_bodies_that_never_end_keep_nobody_out_in_however_many_names() -> None:
    room = Room()
    held = [room.request(f"name{number}").take(10) for number in range(100)]
    honest = room.request("honest")
    with pytest.raises(BusyError):  # as little as each of the others: nobody holds more than it asks for
        honest.take(20)
    honest.take(5)
    assert sum(bool(each.errors) for each in held) == 1
    room.now_s = PATIENCE_S + 1.1
    given_up = [room.budget.expire() for _ in range(7)]  # a few in a turn of the loop
    assert (sum(given_up), max(given_up)) == (100, 16)
    assert room.budget.size == 0


def test_a_body_that_is_complete_is_not_taken_from_anybody() -> None:
    room = Room()
    whole = room.request("greedy").take(1000)
    room.budget.complete(whole.place)
    with pytest.raises(BusyError):
        room.request("honest").take(1)
    room.now_s = 1e6
    assert room.budget.expire() == 1  # the honest one's, of which nothing came
    assert whole.errors == []
    assert room.held("greedy") == 1000


def test_nobody_gives_way_to_who_would_hold_as_much() -> None:
    room = Room()
    room.request("a").take(600)
    b = room.request("b").take(400)
    with pytest.raises(BusyError):
        b.take(200)
    assert (room.held("a"), room.held("b")) == (600, 400)
    b.take(100)  # a, which has 600, gives way to 500
    assert (room.held("a"), room.held("b")) == (0, 500)


def test_a_body_that_stops_is_given_up_however_fast_it_began() -> None:
    room = Room(limit=10**9, share=10**9)
    quick = room.request("a").take(10**6)
    room.now_s = PATIENCE_S - 0.1
    assert room.budget.expire() == 0
    room.now_s = PATIENCE_S + 0.1
    assert room.budget.expire() == 1
    assert [type(error) for error in quick.errors] == [SlowBodyError]
    assert (quick.errors[0].status, quick.errors[0].reason) == (408, "slow_body")
    assert room.budget.size == 0


def test_a_trickle_below_the_least_rate_is_given_up_and_one_above_is_not() -> None:
    room = Room()
    slow, steady = room.request("a"), room.request("b")
    for second in range(1, 31):
        room.now_s = float(second)
        if not slow.errors:
            slow.take(5)
        steady.take(10)
        room.budget.expire()
    assert [type(error) for error in slow.errors] == [SlowBodyError]
    assert steady.errors == []


def test_a_body_of_which_nothing_comes_is_given_up() -> None:
    room = Room()
    empty = room.request("a")
    room.now_s = PATIENCE_S + 0.1
    assert room.budget.expire() == 1
    assert len(empty.errors) == 1


def test_what_was_given_back_holds_no_more() -> None:
    room = Room()
    request = Request(room, "a").take(10)
    room.budget.release(request.place)
    with pytest.raises(BusyError):
        request.take(10)
    assert (room.budget.size, request.place.account.body_bytes) == (0, 0)
