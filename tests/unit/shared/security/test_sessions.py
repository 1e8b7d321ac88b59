"""Sessions: how many, and for how long."""

from __future__ import annotations

import pytest

from shared.limits import MAX_SESSIONS, MAX_SESSIONS_A_TOKEN
from shared.security.sessions import IDLE_S, LONGEST_S, Sessions


class Clock:
    now = 0.0

    def __call__(self):
        return self.now


@pytest.fixture
def clock():
    return Clock()


@pytest.fixture
def sessions(clock):
    return Sessions(clock=clock)


def token(number):
    return number.to_bytes(32, "big")


def test_a_session_ends_when_nobody_uses_it_and_some_time_in_any_case(sessions, clock):
    key, _ = sessions.begin(token(1))
    while clock.now + IDLE_S - 1 < LONGEST_S:
        clock.now += IDLE_S - 1
        assert sessions.find(key), clock.now
    clock.now = LONGEST_S
    assert sessions.find(key) is None
    key, _ = sessions.begin(token(1))
    clock.now += IDLE_S
    assert sessions.find(key) is None
    assert len(sessions) == 0


def test_a_session_is_found_by_its_key_alone(sessions):
    key, session = sessions.begin(token(1))
    assert sessions.find(key) is session
    assert session.token == token(1)
    for wrong in ("", key[:-1], session.form_key, "\ud800"):
        assert sessions.find(wrong) is None
    sessions.end(key)
    sessions.end(key)
    assert sessions.find(key) is None


def test_a_token_s_own_oldest_goes_first(sessions):
    other, _ = sessions.begin(token(2))
    keys = [sessions.begin(token(1))[0] for _ in range(MAX_SESSIONS_A_TOKEN)]
    assert sessions.find(keys[0])  # so that the second is the least recently used
    sessions.begin(token(1))
    assert sessions.find(keys[1]) is None
    assert sessions.find(keys[0])
    assert sessions.find(other)
    assert len(sessions) == MAX_SESSIONS_A_TOKEN + 1


def test_who_has_most_pays_when_there_are_too_many(sessions):
    lonely, _ = sessions.begin(token(0))
    greedy = [sessions.begin(token(1))[0] for _ in range(MAX_SESSIONS_A_TOKEN)]
    number = 2
    while len(sessions) < MAX_SESSIONS:
        sessions.begin(token(number))
        number += 1
    sessions.begin(token(number))
    assert len(sessions) == MAX_SESSIONS
    assert sessions.find(lonely)
    assert sessions.find(greedy[0]) is None
    assert sessions.find(greedy[1])


def test_what_is_over_makes_room(sessions, clock):
    for number in range(MAX_SESSIONS):
        sessions.begin(token(number))
    clock.now = IDLE_S
    sessions.begin(token(0))
    assert len(sessions) == 1
