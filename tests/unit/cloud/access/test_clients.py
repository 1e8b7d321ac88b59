"""Accounts: what one client may have under way, what it pays, and how many clients are remembered."""

from __future__ import annotations

import threading

import pytest

from cloud.access.clients import Clients, Quota
from cloud.access.refusals import BusyError, OverQuotaError


class Clock:
    now_s = 100.0

    def __call__(self) -> float:
        return self.now_s


def clients(most: int = 4, compute: float = 0.0, clock: Clock | None = None) -> Clients:
    return Clients(Quota(2, 1000, compute), most=most, clock=clock or Clock())


def test_frames_above_a_clients_share_are_refused_and_others_are_not() -> None:
    made = clients()
    one, other = made.account("one"), made.account("other")
    one.begin_frame()
    one.begin_frame()
    with pytest.raises(OverQuotaError) as refused:
        one.begin_frame()
    assert (refused.value.status, refused.value.reason, refused.value.accepted) == (
        429,
        "over_quota",
        {"frames_in_flight": 2},
    )
    other.begin_frame()
    one.end_frame()
    one.begin_frame()
    assert (one.frames, other.frames) == (2, 1)


def test_computing_above_the_share_is_refused_until_it_is_paid_off() -> None:
    clock = Clock()
    account = clients(compute=0.5, clock=clock).account("a")
    account.spend(4.9)
    account.require_compute()  # ten seconds' worth may be used at once
    account.spend(2.1)
    with pytest.raises(OverQuotaError) as refused:
        account.begin_frame()
    assert refused.value.retry_after_s == 4  # 2 s too much, at half a second a second
    assert account.frames == 0
    clock.now_s += 3.9
    with pytest.raises(OverQuotaError):
        account.require_compute()
    clock.now_s += 0.2
    account.begin_frame()
    clock.now_s += 1000
    account.spend(4.9)
    account.require_compute()  # what was not used is not saved up beyond the ten seconds
    account.spend(0.2)
    with pytest.raises(OverQuotaError):
        account.require_compute()
    assert account.compute_s == pytest.approx(12.1)


def test_without_a_limit_computing_is_counted_and_never_refused() -> None:
    account = clients().account("a")
    account.spend(1e6)
    account.begin_frame()
    account.end_frame()
    assert account.compute_s == 1e6
    assert account.idle


def test_what_was_spent_elsewhere_is_settled_once() -> None:
    account = clients().account("a")
    account.spend(2.0)
    account.spend(5.0, settled=True)
    account.spend(1.0)
    assert (account.settle(), account.settle()) == (3.0, 0.0)
    assert account.compute_s == 8.0


def test_work_on_a_thread_is_charged_even_if_it_fails() -> None:
    account = clients().account("a")

    def work() -> None:
        with pytest.raises(ValueError, match="bad frame"), account.computing():
            sum(range(20_000))
            raise ValueError("bad frame")

    threads = [threading.Thread(target=work) for _ in range(8)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert account.compute_s == account.settle() > 0


def test_the_least_recent_client_with_nothing_under_way_is_forgotten() -> None:
    made = clients(most=3)
    for name in ("busy", "old", "new"):
        made.account(name)
    made.account("busy").begin_frame()
    old = made.account("old")
    made.account("new")
    made.account("another")
    assert len(made) == 3
    assert made.account("busy").frames == 1
    assert made.account("old") is not old
    assert len(made) == 3


def test_as_many_busy_clients_as_there_may_be_keep_out_one_more() -> None:
    made = clients(most=3)
    for name in "abc":
        made.account(name).begin_frame()
    with pytest.raises(BusyError, match="3 clients"):
        made.account("d")
    made.account("a").begin_frame()  # those that are known go on
    made.account("b").end_frame()
    assert made.account("d").idle


def test_who_owes_is_not_forgotten_for_a_fresh_start() -> None:
    clock = Clock()
    made = clients(most=1, compute=1.0, clock=clock)
    made.account("a").spend(3.0)
    with pytest.raises(BusyError):
        made.account("b")
    clock.now_s += 3.1
    made.account("b")
