"""Brokers that end the connection at one event, which is all that one of MQTT 3.1.1 can do to refuse it."""

from __future__ import annotations

import asyncio

import pytest
from kits.delivering import FakeReader, account, event, failures, to_broker, until

from bench.soak.events.broker import Broker
from edge.output.events.delivery.broker.caution import LEAST_S, SUSPECT_AFTER, TRIES, Caution

QUOTA = 0x97


class Clock:
    """Each look takes some time."""

    def __init__(self, step_s: float) -> None:
        self.now, self._step_s = 0.0, step_s

    def __call__(self) -> float:
        self.now += self._step_s
        return self.now


@pytest.mark.parametrize("how", ["it cuts", "it has no room"])
def test_the_event_that_every_connection_ends_at_is_left_out_and_the_others_come(how, caplog):
    async def run():
        broker = await Broker().start()

        def judge(_topic, payload):
            if b'"number":2,' not in payload:
                return 0
            if how == "it has no room":
                return QUOTA
            broker.cut()
            return None

        broker.judge = judge
        reader, told = FakeReader([event(number) for number in range(1, 31)]), account()
        version = "3.1.1" if how == "it cuts" else "5"
        async with to_broker(broker, reader, account=told, version=version, clock=Clock(LEAST_S)):
            await until(lambda: len(reader.confirmed) == 29 and reader.refused, "the end of all")
        assert reader.refused == ["door-2"]
        assert failures(told)["refused"] == 1
        assert len(broker.clients) >= SUSPECT_AFTER + TRIES

    asyncio.run(run())
    assert "one is left out: class_changed of door: every connection ends at it; at last: " in caplog.text


def test_a_broker_in_trouble_loses_nothing():
    """It says that this edge is online, and breaks at whatever comes then."""

    async def run():
        broker = await Broker().start()

        def judge(topic, _):
            if topic.endswith("status") or len(broker.clients) > 2 * (SUSPECT_AFTER + TRIES):
                return 0
            broker.cut()
            return None

        broker.judge = judge
        reader = FakeReader([event(number) for number in range(1, 31)])
        async with to_broker(broker, reader, version="3.1.1"):
            await until(lambda: len(reader.confirmed) == 30, "all")
        assert not reader.refused

    asyncio.run(run())


def test_only_the_same_event_each_time_is_left_out():
    caution = Caution(Clock(LEAST_S))
    for _ in range(SUSPECT_AFTER + TRIES - 1):
        assert not caution.ended(7)
    assert caution.alone
    assert not caution.ended(8)
    assert not caution.alone
    for _ in range(SUSPECT_AFTER + TRIES - 2):
        assert not caution.ended(8)
    caution.answered(8)
    assert not caution.alone
    assert not caution.ended(8)
