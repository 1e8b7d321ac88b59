"""A data budget that is spent: the edge answers by itself, says so and counts it; nothing is encoded for it and nothing sent."""

from __future__ import annotations

import asyncio
import logging
from types import SimpleNamespace

from kits.edge import FakeSource, FakeUplink, Run, pictures

from edge.frames.stillness import Stillness


class Spending(FakeUplink):
    """Tells of what it would have sent."""

    wire = None

    async def ask(self, frame, *rest):
        if self.wire:
            self.wire.up(len(frame) + 900)
        return await super().ask(frame, *rest)


def flown(most_bytes, count=12, *, spends=True, **changes):
    run = Run(FakeSource(list(pictures(count))), Spending(outcomes=["good"] * count), **changes)
    run.metrics.wire.limit(most_bytes)
    run.uplink.wire = run.metrics.wire if spends else None
    return run, run.to_end()


def test_frames_are_sent_as_long_as_there_are_bytes(caplog):
    caplog.set_level(logging.INFO)
    free, records = flown(0)
    assert all(each.answered_by == "cloud" for each in records)
    sizes = free.count("payload_bytes_sum", codec=free.plan.label)
    run, records = flown(10_000)
    by = run.answered_by()
    sent = by.count("cloud")
    assert 0 < sent < 12
    assert by == ["cloud"] * sent + ["edge"] * (12 - sent)
    assert {each.fallback for each in records[sent:]} == {"budget"}
    assert run.count("fallbacks_total", reason="budget") == 12 - sent
    assert run.count("payload_bytes_sum", codec=run.plan.label) < sizes
    assert sum("data budget" in each.getMessage() for each in caplog.records) == 1
    assert [each.frame for each in records] == list(range(12))


def test_those_under_way_have_claimed_theirs_and_give_it_back():
    run, _ = flown(10_000_000, spends=False)
    assert run.metrics.wire.budget.left_bytes == 10_000_000, "this uplink sends nothing"


class Holding(FakeUplink):
    """Takes its time, and knows what the budget had left meanwhile."""

    budget = None

    async def ask(self, frame, *rest):
        answer = await super().ask(frame, *rest)
        for _ in range(50):
            await asyncio.sleep(0.001)
        self.left = self.budget.left_bytes
        return answer


def test_a_frame_that_nobody_waits_for_gives_its_claim_back_when_it_is_done():
    run = Run(FakeSource(list(pictures(1))), Holding())
    run.metrics.wire.limit(10_000_000)
    run.uplink.budget = run.metrics.wire.budget

    async def go():
        run.pipeline._answering._circuit = SimpleNamespace(is_half_open=True, is_open=False)
        close = run.pipeline._answering.close

        async def later():
            await run.pipeline._answering._unawaited
            await close()

        run.pipeline._answering.close = later
        await run.within()

    asyncio.run(go())
    assert run.answered_by() == ["edge"]
    assert run.uplink.left < 10_000_000
    assert run.metrics.wire.budget.left_bytes == 10_000_000


def test_a_frame_that_fails_after_its_claim_gives_it_back(monkeypatch):
    def fails(*_given):
        raise RuntimeError("a bug")

    monkeypatch.setattr(Stillness, "sending", fails)
    run, records = flown(10_000_000, spends=False)
    assert {each.answered_by for each in records} == {"edge"}
    assert run.metrics.wire.budget.left_bytes == 10_000_000
