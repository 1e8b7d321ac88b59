"""What a target makes known of itself, and how long it is waited for."""

from __future__ import annotations

import random

import pytest
from kits.delivering import failures

from edge.output.events.delivery.account import Account, DeliveryError
from edge.output.events.delivery.backoff import LONGEST_S, Backoff
from edge.output.events.delivery.metrics import FAILURES, DeliveryMetrics


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def account(clock):
    return Account("fake", DeliveryMetrics("splitdnn_edge_", None), clock)


def test_every_reason_exists_from_the_start(account):
    assert {labels[-1] for labels in account._failures._counts} == set(FAILURES)


def test_a_target_that_fails_and_works_by_turns_does_not_fill_the_log(account, clock, caplog):
    caplog.set_level("INFO")
    for turn in range(1000):
        clock.now = turn / 100
        account.failed(DeliveryError(FAILURES[turn % 2], "so"))
        if turn % 3 == 0:
            account.works()
    assert len(caplog.records) <= 20
    clock.now = 100.0
    account.failed(DeliveryError("timeout", "nobody there"))
    assert "nobody there" in caplog.text, "what stays is said as soon as there is room"
    account.works()
    assert "delivered again" in caplog.records[-1].getMessage()


def test_the_log_says_once_why_and_once_that_it_is_over(account, clock, caplog):
    caplog.set_level("INFO")
    account.works()
    assert caplog.text == ""
    for clock.now in range(10):
        account.failed(DeliveryError("unreachable", "Connection refused"))
    assert account.failing
    clock.now = 60.0
    account.works()
    account.works()
    assert not account.failing
    lines = [record.getMessage() for record in caplog.records]
    assert lines == [
        "events to fake: Connection refused; they wait, and it is tried again",
        "events to fake: they are delivered again, after 60 s",
    ]
    assert failures(account) == {"unreachable": 10}


def test_another_reason_is_another_line(account, caplog):
    account.failed(DeliveryError("unreachable", "one"))
    account.failed(DeliveryError("timeout", "two"))
    assert len(caplog.records) == 2


def test_events_that_are_left_out_fill_no_log(account, clock, caplog):
    for clock.now in range(61):
        account.lost(DeliveryError("refused", "it answers 404"))
    assert [record.getMessage() for record in caplog.records] == [
        "events to fake: one is left out: it answers 404",
        "events to fake: one is left out: it answers 404; 59 more since this was last said",
    ]
    assert failures(account) == {"refused": 61}


def test_waits_grow_to_a_minute_and_begin_again_after_a_success():
    backoff = Backoff(lambda: 1.0)
    waits = [backoff.next_s() for _ in range(12)]
    assert waits[:4] == [0.5, 1.0, 2.0, 4.0]
    assert waits[-1] == LONGEST_S == 60.0
    backoff.reset()
    assert backoff.next_s() == 0.5


def test_two_edges_do_not_come_at_the_same_time():
    first, other = (Backoff(random.Random(seed).random).next_s() for seed in (1, 2))
    assert first != other
    assert all(0.25 <= each <= 0.5 for each in (first, other))
