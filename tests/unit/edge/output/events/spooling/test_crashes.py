"""A process that is killed at any byte: what was on the disk is delivered, in order, and nothing is skipped."""

from __future__ import annotations

import tempfile
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from kits.events import TARGET, Disk, Killed, event_of, kill, lost, rest_of, spool_of

SMALL = 1 << 18
"""Segments of 16 KiB: some seventy events."""

rounds = st.fixed_dictionaries(
    {
        "append": st.integers(0, 40),
        "take": st.integers(0, 60),
        "confirm": st.lists(st.integers(0, 60), max_size=60),
        "again": st.booleans(),
    }
)
deaths = st.one_of(st.none(), st.tuples(st.integers(0, 40), st.sampled_from([0.0, 0.3, 0.99])))
"""Never; or with so many calls of the disk, and such a share of the last one."""
lives = st.lists(st.tuples(st.lists(rounds, max_size=8), deaths), min_size=1, max_size=5)


class Life:
    """One process of several on the same folder."""

    def __init__(self, folder, account):
        self.account = account
        self.spool = spool_of(folder, SMALL)
        self.reader = self.spool.reader(TARGET)
        self.number = self.spool.numbers.get("door", 0)
        self.waiting, self.out = [], []
        # What a killed process has not written may be gone; what it has is there.
        assert self.number >= max(account.durable, default=0)

    def round(self, append, take, confirm, again):
        for _ in range(append):
            self.number += 1
            assert self.spool.append(event_of(self.number, note="x" * 40))
            self.waiting.append(self.number)
        self.spool.work()
        self.account.durable += self.waiting
        self.waiting = []
        if again:
            self.out.clear()
            self.reader.again()
        for _ in range(take):
            if entry := self.reader.ready():
                self.account.given.add(entry.event.number)
                self.out.append(entry)
        for number in confirm:
            if self.out:
                entry = self.out.pop(number % len(self.out))
                self.reader.done(entry.position)
                self.account.confirmed.add(entry.event.number)
        self.spool.work()


class Account:
    def __init__(self):
        self.durable, self.given, self.confirmed = [], set(), set()


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(lives=lives)
def test_what_was_written_is_given_to_the_target_whoever_is_killed(lives):
    account = Account()
    with tempfile.TemporaryDirectory() as made, pytest.MonkeyPatch.context() as patch:
        folder = Path(made)
        for rounds_of_life, death in lives:
            life = Life(folder, account)
            disk = Disk(calls=death[0], share=death[1]) if death else Disk()
            try:
                with disk.in_place(patch):
                    for each in rounds_of_life:
                        life.round(**each)
            except Killed:
                pass
            assert lost(life.spool) == {}
            kill(life.spool)
        last = spool_of(folder, SMALL)
        reader = last.reader(TARGET)
        rest = rest_of(reader)
        assert lost(last) == {}
        kill(last)
    assert rest == sorted(set(rest)), "in order, and each once in one life"
    missing = set(account.durable) - account.given - set(rest)
    assert not missing, "written, and never given to the target"
    assert not (set(account.durable) - account.confirmed - set(rest)), "given, not confirmed, not given again"
