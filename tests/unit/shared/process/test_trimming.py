"""Freed memory goes back once there is some, and that does not take all the time."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from shared.process import trimming
from shared.process.trimming import Trimming, resident_bytes

if TYPE_CHECKING:
    import pytest


class Process:
    """One whose memory the test sets; giving back leaves what is used, and takes a while."""

    def __init__(self, used: int) -> None:
        self.used = self.resident = used
        self.now_s, self.takes_s, self.given_back = 100.0, 0.004, 0
        self.trimming = Trimming(lambda: self.resident, self.give_back, lambda: self.now_s)

    def give_back(self) -> None:
        self.resident = self.used
        self.now_s += self.takes_s
        self.given_back += 1


def test_it_is_due_once_the_process_has_grown_by_a_seventh() -> None:
    process = Process(100)
    process.resident = 114
    assert not process.trimming.due()
    process.resident = 116
    assert process.trimming.due()
    process.trimming.run()
    assert (process.given_back, process.resident) == (1, 100)
    assert not process.trimming.due()


def test_what_is_used_is_no_reason_to_try_again() -> None:
    process = Process(100)
    process.used = process.resident = 200
    assert process.trimming.due()
    process.trimming.run()
    process.now_s += 1000
    assert not process.trimming.due()
    process.resident = 231
    assert process.trimming.due()


def test_it_takes_a_twentieth_of_the_time_at_most() -> None:
    process = Process(100)
    start = process.now_s
    while process.now_s < start + 100:
        process.resident = 1000
        if process.trimming.due():
            process.trimming.run()
        process.now_s += 0.001
    spent = process.given_back * process.takes_s
    assert 4 < spent <= 5


def test_a_process_sees_its_own_memory() -> None:
    before = resident_bytes()
    held = bytearray(b"x" * (64 << 20))
    assert resident_bytes() - before > 50 << 20
    del held


def test_it_goes_on_looking(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(trimming, "_LOOK_S", 0)
    process = Process(100)
    process.takes_s = 0

    async def scenario() -> None:
        watching = asyncio.create_task(process.trimming.watch())
        for wanted in (1, 2):
            process.resident = 200
            while process.given_back < wanted:
                await asyncio.sleep(0)
        watching.cancel()

    asyncio.run(asyncio.wait_for(scenario(), 120))
