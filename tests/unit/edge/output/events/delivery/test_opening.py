"""Deliveries as the settings ask for them: what does not fit together is refused, and what waits at the end is delivered."""

from __future__ import annotations

import asyncio
import base64
import json
import re
import time

import pytest
from kits.delivering import event, until

from bench.soak.events.broker import Broker
from bench.soak.events.receiver import Receiver, Reply
from edge.config import EdgeSettings
from edge.metrics import EdgeMetrics
from edge.output.events.delivery import opening
from edge.output.events.delivery.opening import Deliveries
from edge.output.events.event import Event
from edge.output.events.spool import Spool
from shared.errors import SettingsError

KEY = bytes(range(32))


def settings(**given):
    return EdgeSettings(**given)


@pytest.fixture
def secret(tmp_path):
    path = tmp_path / "secret"
    path.write_text(f"whsec_{base64.b64encode(KEY).decode()}\n")
    return str(path)


@pytest.fixture
def password(tmp_path):
    path = tmp_path / "password"
    path.write_text("hunter2\n")
    return str(path)


BAD = [
    ({"events": "mqtt://broker.lan/x"}, "mqtt-broker.lan-x is told; give it an address with mqtts://"),
    ({"events": "http://hooks.lan/x", "events_secret_file": "SECRET"}, "or say --events-in-clear"),
    ({"events": "https://hooks.lan/x"}, "a webhook needs --events-secret-file"),
    (
        {"events": "https://hooks.lan/x", "events_secret_file": "/none"},
        "--events-secret-file /none: No such file",
    ),
    ({"events": "mqtts://b/x", "events_password_file": "PASSWORD"}, "no broker in --events has a user"),
    (
        {"events": "mqtts://u@b/x", "events_password_file": "/none"},
        "--events-password-file /none: No such file",
    ),
    (
        {"events": "https://h/x", "events_secret_file": "SECRET", "events_discovery": "homeassistant"},
        "there is no broker in --events",
    ),
    ({"events": "mqtts://b/x", "events_ca": "/none"}, "--events-ca /none: No such file"),
    ({"events": "mqtts://b/x", "events_key": "/none"}, "--events-key /none: needs --events-certificate too"),
]


@pytest.mark.parametrize(("given", "said"), BAD)
def test_settings_that_do_not_fit_together_are_named(given, said, secret, password):
    known = {"SECRET": secret, "PASSWORD": password}
    with pytest.raises(SettingsError, match=re.escape(said)) as raised:
        Deliveries(
            settings(**{name: known.get(text, text) for name, text in given.items()}), EdgeMetrics(), []
        )
    assert "hunter2" not in str(raised.value)


def test_what_is_no_address_is_refused_with_the_settings():
    with pytest.raises(ValueError, match="not an address such as"):
        settings(events="broker")


def test_without_targets_there_is_nothing_to_do():
    assert not Deliveries(settings(), EdgeMetrics(), ["door"])


def test_in_clear_is_taken_by_a_word(secret):
    given = settings(events="mqtt://b,http://h/x", events_in_clear=True, events_secret_file=secret)
    assert Deliveries(given, EdgeMetrics(), [])


def delivered(metrics, target):
    return metrics.registry.get_sample_value("splitdnn_edge_events_delivered_total", {"target": target})


def test_events_reach_all_targets_from_the_disk_and_the_end_waits_for_them(tmp_path, secret, password):
    async def run():
        broker = await Broker(users={"edge": b"hunter2"}).start()
        receiver = await Receiver(KEY).start()
        receiver.judge = lambda _: Reply(wait_s=0.01)
        urls = f"mqtt://edge@localhost:{broker.port}/a,http://localhost:{receiver.port}/hook"
        given = settings(
            events=urls,
            events_secret_file=secret,
            events_password_file=password,
            events_discovery="/homeassistant/",
        )
        metrics = EdgeMetrics(["door"])
        deliveries = Deliveries(given, metrics, ["door"])
        spool = Spool(tmp_path / "spool", 1 << 20, metrics.events)
        deliveries.start(spool)
        spool.start()
        for number in range(1, 21):
            spool.append(event(number))
        await deliveries.end()
        spool.close()
        assert len(receiver.received) == 20
        ids = [json.loads(payload).get("id") for topic, payload in broker.received if "/door/class" in topic]
        assert ids == [f"door-{number}" for number in range(1, 21)]
        await until(lambda: broker.kept["a/status"] == b"offline", "the will")
        assert broker.kept["homeassistant/binary_sensor/splitdnn_a/cloud/config"]
        assert delivered(metrics, f"mqtt-localhost-{broker.port}-a") == 20
        await broker.stop()
        await receiver.stop()

    asyncio.run(run())


def test_the_end_does_not_wait_for_a_target_that_is_away(tmp_path, monkeypatch):
    monkeypatch.setattr(opening, "_PATIENCE_S", 60.0)

    async def run():
        broker = await Broker().start()
        await broker.stop()
        metrics = EdgeMetrics(["door"])
        deliveries = Deliveries(settings(events=f"mqtt://localhost:{broker.port}"), metrics, ["door"])
        spool = Spool(tmp_path / "spool", 1 << 20, metrics.events)
        deliveries.start(spool)
        spool.start()
        spool.append(event(1))
        while not metrics.registry.get_sample_value(
            "splitdnn_edge_events_delivery_failures_total",
            {"target": f"mqtt-localhost-{broker.port}-splitdnn", "reason": "unreachable"},
        ):
            await asyncio.sleep(0.01)
        start = time.monotonic()
        await deliveries.end()
        assert time.monotonic() - start < 30
        spool.close()

    asyncio.run(run())


def test_a_mistake_of_ours_ends_no_delivery(tmp_path, monkeypatch, caplog):
    """What nobody foresaw is logged, and the delivery begins anew."""
    monkeypatch.setattr(opening, "_PAUSE_S", 0.01)
    broken = iter([True, True])
    told = Event.json

    def json_once_broken(self):
        if next(broken, False):
            raise RuntimeError("nobody foresaw this")
        return told(self)

    async def run():
        broker = await Broker().start()
        await broker.stop()
        metrics = EdgeMetrics(["door"])
        deliveries = Deliveries(settings(events=f"mqtt://localhost:{broker.port}"), metrics, ["door"])
        spool = Spool(tmp_path / "spool", 1 << 20, metrics.events)
        deliveries.start(spool)
        spool.start()
        spool.append(event(1))
        spool.close()
        monkeypatch.setattr(Event, "json", json_once_broken)
        await broker.start()
        name = f"mqtt-localhost-{broker.port}-splitdnn"
        await until(lambda: delivered(metrics, name) == 1, "a delivery")
        await deliveries.end()
        await broker.stop()

    asyncio.run(run())
    assert caplog.text.count("a delivery has failed, and begins anew") == 2
