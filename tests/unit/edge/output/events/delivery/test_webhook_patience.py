"""How long an event is tried: for a day by a receiver that is there, and for ever while nobody is."""

from __future__ import annotations

import asyncio

import pytest
from kits.delivering import FakeReader, account, event, failures, to_receiver, until

from bench.soak.events.receiver import Receiver, Reply, Request
from edge.output.events.delivery import webhook

KEY = bytes(range(32))
DAY_S = 86400.0


class Clock:
    now = 0.0

    def __call__(self) -> float:
        return self.now


@pytest.mark.parametrize(
    ("reply", "counted", "said"),
    [(Reply(500), "failed", "it answers 500"), (Reply(0), "unreachable", "Server disconnected")],
)
def test_an_event_that_is_taken_for_a_day_no_more_is_given_up(reply, counted, said, caplog, monkeypatch):
    monkeypatch.setattr(webhook, "_GIVE_UP_TRIES", 10)

    async def run():
        clock, receiver = Clock(), await Receiver(KEY).start()

        def judge(request: Request) -> Reply:
            clock.now += DAY_S / 10
            return reply if b'"number":1,' in request.body else Reply()

        receiver.judge = judge
        reader, told = FakeReader([event(1), event(2)]), account()
        async with to_receiver(receiver, reader, account=told, clock=clock):
            await until(lambda: reader.confirmed == ["door-2"], "the next one")
        assert reader.refused == ["door-1"]
        assert failures(told) == {counted: 10, "given_up": 1}

    asyncio.run(run())
    assert f"tried for a day; at last: {said}" in caplog.text


def test_two_failures_with_days_of_absence_between_them_are_not_a_day_of_trying():
    async def run():
        clock, receiver = Clock(), await Receiver(KEY).start()

        def judge(_: Request) -> Reply:
            clock.now += 2 * DAY_S
            return Reply(503 if receiver.requests < 3 else 204)

        receiver.judge = judge
        reader = FakeReader([event(1)])
        async with to_receiver(receiver, reader, clock=clock):
            await until(lambda: reader.confirmed == ["door-1"], "a confirmation")
        assert not reader.refused

    asyncio.run(run())


def test_nobody_there_is_tried_again_for_ever(monkeypatch):
    monkeypatch.setattr(webhook, "_GIVE_UP_TRIES", 1)

    async def run():
        clock, receiver = Clock(), await Receiver(KEY).start()
        await receiver.stop()
        reader, told = FakeReader([event(1)]), account()
        async with to_receiver(receiver, reader, account=told, clock=clock):
            for count in range(3, 6):
                clock.now += DAY_S
                await until(lambda count=count: failures(told).get("unreachable", 0) >= count, "attempts")
            await receiver.start()
            await until(lambda: reader.confirmed == ["door-1"], "a confirmation")
        assert not reader.refused

    asyncio.run(run())


def test_a_host_that_lets_every_packet_fall_is_nobody(monkeypatch):
    monkeypatch.setattr(webhook, "_GIVE_UP_TRIES", 1)
    monkeypatch.setattr(webhook, "_CONNECT_S", 0.01)

    async def never(*_: object, **__: object) -> None:
        await asyncio.sleep(60)

    monkeypatch.setattr("aiohttp.connector.aiohappyeyeballs.start_connection", never)

    async def run():
        clock, receiver = Clock(), await Receiver(KEY).start()
        reader, told = FakeReader([event(1)]), account()
        async with to_receiver(receiver, reader, account=told, clock=clock):
            for count in range(3, 6):
                clock.now += DAY_S
                await until(lambda count=count: failures(told).get("timeout", 0) >= count, "attempts")
        assert not reader.refused

    asyncio.run(run())
