"""Brokers that refuse: a message for ever, a message for now, a connection; and brokers that nobody should believe."""

from __future__ import annotations

import asyncio
import socket

import pytest
from kits.delivering import FakeReader, account, event, failures, to_broker, until

from bench.soak.events.broker import TAKEN_OVER, Broker, Told
from edge.output.events.delivery.broker import client, connection

NOT_AUTHORIZED, QUOTA = 0x87, 0x97


def test_a_message_that_is_refused_for_ever_is_left_out_and_the_next_goes_on(caplog):
    async def run():
        broker = await Broker().start()
        broker.judge = lambda topic, _: NOT_AUTHORIZED if "/yard/" in topic else 0
        reader, told = FakeReader([event(1), event(1, "yard"), event(2), event(2, "yard")]), account()
        async with to_broker(broker, reader, account=told):
            await until(lambda: len(reader.confirmed) == 2 and len(reader.refused) == 2, "the end of all")
        assert reader.refused == ["yard-1", "yard-2"]
        assert failures(told) == {"refused": 2}

    asyncio.run(run())
    assert "one is left out: class_changed of yard: Not authorized" in caplog.text
    assert caplog.text.count("left out") == 1, "the second within a minute is only counted"


def test_a_quota_is_waited_for(caplog):
    async def run():
        broker = await Broker().start()
        broker.judge = lambda topic, _: 0 if topic.endswith("status") or len(broker.clients) > 2 else QUOTA
        reader, told = FakeReader([event(1), event(2)]), account()
        async with to_broker(broker, reader, account=told):
            await until(
                lambda: reader.confirmed == ["door-1", "door-2"], "confirmations by the third connection"
            )
        assert failures(told)["failed"] >= 2
        assert not reader.refused

    asyncio.run(run())
    assert "it cannot take events: Quota exceeded" in caplog.text


def test_an_event_beyond_the_brokers_packet_size_is_left_out():
    async def run():
        broker = await Broker().start()
        broker.connack = lambda _: (0, bytes([0x27]) + (400).to_bytes(4, "big"))  # Maximum Packet Size
        reader, told = FakeReader([event(1), event(2, text="x" * 400), event(3)]), account()
        async with to_broker(broker, reader, account=told):
            await until(lambda: reader.confirmed == ["door-1", "door-3"], "both short ones")
        assert (reader.refused, failures(told)) == (["door-2"], {"refused": 1})

    asyncio.run(run())


def test_what_is_no_event_and_beyond_the_brokers_packet_size_is_left_out(caplog):
    class Discovery:
        def present(self):
            yield "homeassistant/large", b"x" * 400
            yield "homeassistant/small", b"x"

        def after(self, _):
            yield "homeassistant/state", b"x" * 400

    async def run():
        broker = await Broker().start()
        broker.connack = lambda _: (0, bytes([0x27]) + (400).to_bytes(4, "big"))  # Maximum Packet Size
        reader = FakeReader([event(1), event(2)])
        async with to_broker(broker, reader, discovery=Discovery()):
            await until(lambda: len(reader.confirmed) == 2, "both events")
        assert [topic for topic in broker.kept if topic.startswith("homeassistant")] == [
            "homeassistant/small"
        ]

    asyncio.run(run())
    assert caplog.text.count("is left out") == 1
    assert "homeassistant/large is left out: 435 bytes are more than the 400 that it takes" in caplog.text


@pytest.mark.parametrize(
    ("reason", "properties", "counted", "said"),
    [
        (135, b"", "unauthorized", "does not let this edge in: Not authorized"),
        (132, b"", "failed", "does not let this edge in: Unsupported protocol version"),
        (0, bytes([0x24, 0]), "failed", "its maximum QoS is 0"),
    ],
)
def test_a_broker_that_does_not_let_an_edge_in_is_asked_again(reason, properties, counted, said, caplog):
    async def run():
        def answer(_: Told) -> tuple[int, bytes]:
            return (reason, properties) if len(broker.clients) < 3 else (0, b"")

        broker = await Broker(connack=answer).start()
        reader, told = FakeReader([event(1)]), account()
        async with to_broker(broker, reader, account=told):
            await until(lambda: reader.confirmed == ["door-1"], "a confirmation")
        assert failures(told) == {counted: 2}

    asyncio.run(run())
    assert said in caplog.text


def test_another_client_with_this_edges_id_is_named(caplog):
    async def run():
        broker = await Broker().start()
        async with to_broker(broker, FakeReader(), account=account()):
            await until(lambda: broker.kept, "online")
            broker.send(bytes([14 << 4, 1, TAKEN_OVER]))
            await until(lambda: len(broker.clients) > 1, "another connection")
            assert len({each.client_id for each in broker.clients}) == 1

    asyncio.run(run())
    assert (
        "Session taken over; another client has this edge's id: give each edge a prefix of its own"
        in caplog.text
    )


EVIL = {
    "no MQTT at all": b"HTTP/1.1 400 Bad Request\r\n" + b"X: y\r\n" * 40,
    "a message that nobody has subscribed to": bytes([0x30, 5, 0, 1, 65, 66, 67]),
    "a packet of 200 MB": bytes([0x40, 0x80, 0x80, 0x80, 0x60]),
    "a length without end": bytes([0x40]) + b"\xff" * 8,
    "a short acknowledgement": bytes([0x40, 1, 0]),
    "an acknowledgement with false properties": bytes([0x40, 6, 0, 1, 0, 2, 0xEE, 0xEE]),
    "a second greeting that is cut": bytes([0x20, 1, 0]),
    "a ping": bytes([0xC0, 0]),
}


@pytest.mark.parametrize("what", EVIL)
def test_a_broker_that_sends_what_none_may_send_is_left_and_tried_again(what, caplog):
    async def run():
        broker = await Broker().start()
        reader, told = FakeReader(), account()
        async with to_broker(broker, reader, account=told):
            await until(lambda: broker.kept, "online")
            broker.send(EVIL[what])
            await until(lambda: len(broker.clients) > 1, "another connection")
            reader.add(event(1))
            await until(lambda: reader.confirmed == ["door-1"], "a confirmation")
        assert sum(failures(told).values()) == 1, failures(told)

    asyncio.run(run())
    assert "Traceback" not in caplog.text


def test_acknowledgements_that_nobody_waits_for_change_nothing():
    async def run():
        broker = await Broker().start()
        reader = FakeReader()
        async with to_broker(broker, reader):
            await until(lambda: broker.kept, "online")
            broker.send(bytes([0x40, 2, 0x12, 0x34]) * 1000)
            reader.add(event(1))
            await until(lambda: reader.confirmed == ["door-1"], "a confirmation")
        assert len(broker.clients) == 1

    asyncio.run(run())


def test_what_does_not_answer_is_given_up(monkeypatch):
    """Connections are taken by the kernel, and nobody says a word."""
    monkeypatch.setattr(client, "CONNECT_S", 0.05)
    monkeypatch.setattr(connection, "CONNECT_S", 0.05)

    async def run():
        with socket.create_server(("127.0.0.1", 0)) as silent:
            broker = Broker(port=silent.getsockname()[1])
            told = account()
            async with to_broker(broker, FakeReader([event(1)]), account=told):
                await until(lambda: failures(told).get("timeout", 0) >= 2, "two timeouts")

    asyncio.run(run())


def test_nobody_there_is_tried_again_for_ever():
    async def run():
        broker = await Broker().start()
        await broker.stop()
        reader, told = FakeReader([event(1)]), account()
        async with to_broker(broker, reader, account=told):
            await until(lambda: failures(told).get("unreachable", 0) >= 3, "three attempts")
            await broker.start()
            await until(lambda: reader.confirmed == ["door-1"], "a confirmation")

    asyncio.run(run())
