"""Events to a broker: topics, acknowledgements, order, and everything that may go wrong with a connection."""

from __future__ import annotations

import asyncio
import json
from typing import TYPE_CHECKING

import pytest
from kits.delivering import FakeReader, account, event, failures, to_broker, until

from bench.soak.events.broker import MQTT_3, MQTT_5, Broker
from edge.output.events.delivery import mqtt
from edge.output.events.delivery.broker import connection
from edge.output.events.delivery.secret_file import SecretFile, password
from edge.output.events.event import Kind

if TYPE_CHECKING:
    from pathlib import Path


def events_of(broker: Broker) -> list[str]:
    """The ids in the order of their arrival, repetitions included."""
    return [json.loads(payload)["id"] for topic, payload in broker.received if not topic.endswith("/status")]


@pytest.mark.parametrize(("version", "level"), [("5", MQTT_5), ("3.1.1", MQTT_3)])
def test_each_event_is_published_on_its_own_topic_and_confirmed(version, level):
    async def run():
        broker = await Broker().start()
        told = [
            event(1),
            event(2, kind=Kind.OBJECT_APPEARED, label="person"),
            event(1, None, Kind.CLOUD_AWAY),
        ]
        reader = FakeReader(told)
        async with to_broker(broker, reader, version=version):
            await until(lambda: len(reader.confirmed) == 3, "three confirmations")
        sent = dict(broker.received)
        assert list(sent) == [
            "home/edge1/status",
            "home/edge1/door/class_changed",
            "home/edge1/door/object_appeared",
            "home/edge1/cloud_away",
        ]
        assert sent["home/edge1/door/object_appeared"] == told[1].json()
        (client,) = broker.clients
        assert (client.version, client.keep_alive_s, client.will) == (
            level,
            30,
            ("home/edge1/status", b"offline"),
        )

    asyncio.run(run())


def test_the_status_is_online_while_there_is_a_connection_and_offline_after_it():
    async def run():
        broker = await Broker().start()
        async with to_broker(broker, FakeReader()):
            await until(lambda: broker.kept.get("home/edge1/status") == b"online", "online")
            await broker.stop()
            assert broker.kept["home/edge1/status"] == b"offline"
            await broker.start()
            await until(lambda: broker.kept.get("home/edge1/status") == b"online", "online again")
            task = [
                each for each in asyncio.all_tasks() if "run" in str(each.get_coro()) and "Mqtt" in str(each)
            ]
            assert len(task) == 1
            task[0].cancel()
            await until(lambda: broker.kept.get("home/edge1/status") == b"offline", "offline at the end")

    asyncio.run(run())


def test_an_event_is_confirmed_only_when_the_broker_acknowledges_it():
    async def run():
        broker = await Broker().start()
        broker.judge = lambda topic, _: 0 if topic.endswith("status") else None
        reader = FakeReader([event(1)])
        async with to_broker(broker, reader):
            await until(lambda: broker.kept, "online")
            await asyncio.sleep(0.05)
            assert not reader.confirmed
            broker.judge = lambda *_: 0
            broker.cut()
            await until(lambda: reader.confirmed == ["door-1"], "a confirmation by the next connection")

    asyncio.run(run())


def test_order_is_kept_over_connections_that_break_at_any_event():
    """What was not acknowledged comes again before everything else: by the first arrival of each, all are in order."""

    async def run():
        broker = await Broker().start()
        told = [event(number, camera) for number in range(1, 101) for camera in ("door", "yard", None)]
        reader = FakeReader(told)
        seen = stalled = 0

        def judge(_topic: str, _payload: bytes) -> int | None:
            nonlocal seen, stalled
            seen += 1
            if seen % 17 == 0:
                asyncio.get_running_loop().call_soon(broker.cut)
            if seen % 29 == 0:
                stalled = len(broker.clients)
                asyncio.get_running_loop().call_later(0.01, broker.cut)
            return None if stalled == len(broker.clients) else 0

        broker.judge = judge
        async with to_broker(broker, reader):
            await until(lambda: len(reader.confirmed) == 300, "300 confirmations")
        arrived = list(dict.fromkeys(events_of(broker)))
        for camera in ("door", "yard", None):
            numbers = [int(each.rsplit("-", 1)[1]) for each in arrived if each.startswith(f"{camera}-")]
            assert numbers == list(range(1, 101)), camera
        assert len(broker.clients) > 5

    asyncio.run(run())


def test_at_most_a_bounded_number_is_under_way():
    async def run():
        broker = await Broker().start()
        broker.judge = lambda topic, _: 0 if topic.endswith("status") else None
        reader = FakeReader([event(number) for number in range(1, 201)])
        async with to_broker(broker, reader):
            await until(lambda: len(reader._out) == 20, "20 under way")
            await asyncio.sleep(0.1)
            assert len(reader._out) == 20

    asyncio.run(run())


def test_a_broker_of_mqtt_5_may_want_fewer_in_flight_at_once():
    async def run():
        broker = await Broker().start()
        broker.connack = lambda _: (0, bytes([0x21, 0, 3]))  # Receive Maximum: 3
        arrived = 0

        def judge(topic: str, _payload: bytes) -> int | None:
            nonlocal arrived
            arrived += not topic.endswith("status")
            return 0 if topic.endswith("status") else None

        broker.judge = judge
        reader = FakeReader([event(number) for number in range(1, 31)])
        async with to_broker(broker, reader):
            await until(lambda: len(reader._out) == 20 and arrived == 3, "three in flight")
            await asyncio.sleep(0.1)
            assert arrived == 3

    asyncio.run(run())


def test_silence_ends_a_connection(monkeypatch):
    monkeypatch.setattr(mqtt, "_ACKNOWLEDGE_S", 0.05)
    monkeypatch.setattr(mqtt, "_LOOK_S", 0.02)

    async def run():
        broker = await Broker().start()
        broker.judge = lambda *_: 0 if len(broker.clients) > 1 else None
        reader, told = FakeReader([event(1)]), account()
        async with to_broker(broker, reader, account=told):
            await until(lambda: reader.confirmed == ["door-1"], "a confirmation by the second connection")
        assert failures(told)["timeout"] == 1

    asyncio.run(run())


def test_an_idle_connection_is_kept_by_pings_and_one_without_answers_is_given_up(monkeypatch):
    monkeypatch.setattr(connection, "_KEEP_ALIVE_S", 1)
    monkeypatch.setattr(connection, "_LOOK_S", 0.02)

    async def run():
        broker = await Broker().start()
        told = account()
        async with to_broker(broker, FakeReader(), account=told):
            await until(lambda: broker.pings >= 2, "two pings")
            assert len(broker.clients) == 1
            broker.answers_pings = False
            await until(lambda: len(broker.clients) > 1, "another connection")
        assert failures(told)["unreachable"] >= 1

    asyncio.run(run())


def test_the_password_is_read_anew_for_each_connection(tmp_path: Path, caplog):
    file = tmp_path / "password"
    file.write_bytes(b"wrong\n")
    secret = SecretFile(
        str(file), "--events-password-file", password, clock=iter(range(0, 10**6, 2)).__next__
    )

    async def run():
        broker = await Broker(users={"edge 1": "s3cret, ü".encode()}).start()
        reader, told = FakeReader([event(1)]), account()
        url = f"mqtt://edge%201@127.0.0.1:{broker.port}"
        async with to_broker(broker, reader, url, account=told, password=secret):
            await until(lambda: failures(told).get("unauthorized", 0) >= 2, "refusals")
            file.write_bytes("s3cret, ü\n".encode())
            await until(lambda: reader.confirmed == ["door-1"], "a confirmation")
        assert broker.received[-1][0] in ("splitdnn/status", "splitdnn/door/class_changed")

    asyncio.run(run())
    assert "s3cret" not in caplog.text
    assert "wrong" not in caplog.text
    assert caplog.text.count("does not let this edge in") == 1
    assert caplog.text.count("delivered again") <= 1
