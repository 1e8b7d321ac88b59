"""Deliveries to a real broker, mosquitto, with TLS and a password, which is stopped and started under the sending edge."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

import pytest
from kits.certificates import Certificates
from kits.delivering import event, until
from kits.mosquitto import MISSING, PROGRAM, USERS, Mosquitto, Subscriber

from edge.config import EdgeSettings
from edge.metrics import EdgeMetrics
from edge.output.events.delivery import mqtt
from edge.output.events.delivery.backoff import Backoff
from edge.output.events.delivery.opening import Deliveries
from edge.output.events.event import Kind
from edge.output.events.spool import Spool

if TYPE_CHECKING:
    from collections.abc import Iterator

pytestmark = [pytest.mark.slow, pytest.mark.skipif(PROGRAM is None, reason=MISSING)]

CAMERAS = ("door", "yard")


@pytest.fixture(scope="module")
def made(tmp_path_factory: pytest.TempPathFactory) -> Certificates:
    return Certificates.at(tmp_path_factory.mktemp("authority"))


@pytest.fixture
def broker(made: Certificates, tmp_path: object) -> Iterator[Mosquitto]:
    broker = Mosquitto(tmp_path, made).start()
    yield broker
    broker.stop()


@pytest.fixture(autouse=True)
def _impatient(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("edge.output.events.delivery.backoff.LONGEST_S", 0.2)
    monkeypatch.setattr("edge.output.events.delivery.backoff.FIRST_S", 0.05)
    assert Backoff().next_s() <= 0.05
    assert mqtt._ACKNOWLEDGE_S > 1


class Edge:
    """Spool and deliveries as a run has them."""

    def __init__(self, broker: Mosquitto, made: Certificates, **given: object) -> None:
        self.metrics = EdgeMetrics(CAMERAS)
        password = broker.folder / "password"
        password.write_text(USERS["edge"] + "\n", encoding="utf-8")
        options = {
            "events": f"mqtts://edge@localhost:{broker.port}/home/edge1",
            "events_password_file": str(password),
            "events_ca": made.path("edge", "ca.crt"),
            "events_discovery": "home/discovery",
        }
        self.deliveries = Deliveries(EdgeSettings(**options | given), self.metrics, CAMERAS)
        self.spool = Spool(broker.folder / "spool", 1 << 22, self.metrics.events)
        self.deliveries.start(self.spool)
        self.spool.start()

    async def end(self) -> None:
        await self.deliveries.end()
        self.spool.close()

    def value(self, name: str, **labels: str) -> float:
        """The sum over all targets."""
        samples = [each for family in self.metrics.registry.collect() for each in family.samples]
        return sum(
            each.value
            for each in samples
            if each.name == f"splitdnn_edge_events_{name}" and each.labels.items() >= labels.items()
        )


@pytest.mark.parametrize("version", ["5", "3.1.1"])
def test_nothing_is_lost_or_out_of_order_while_the_broker_is_restarted(broker, made, version):
    async def run():
        home = await asyncio.to_thread(Subscriber, broker, "home")
        await until(home.ready.is_set, "the subscription")
        edge = Edge(broker, made, events_mqtt=version)
        for number in range(1, 301):
            for camera in CAMERAS:
                edge.spool.append(event(number, camera))
            if number in (60, 150, 240):
                await until(lambda: edge.value("delivered_total") > 0, "a delivery")
                await asyncio.to_thread(broker.stop)
                await asyncio.sleep(0.1)
                await asyncio.to_thread(broker.start)
            await asyncio.sleep(0.002)
        await until(lambda: edge.value("delivered_total") == 600, "600 confirmations")
        await until(lambda: len(set(home.events())) == 600, "600 events at the subscriber")
        assert home.latest("home/edge1/status") == b"online"
        await edge.end()
        await until(lambda: home.latest("home/edge1/status") == b"offline", "the will")
        arrived = list(dict.fromkeys(home.events()))
        for camera in CAMERAS:
            numbers = [int(each.split("-")[1]) for each in arrived if each.startswith(camera)]
            assert numbers == list(range(1, 301)), camera
        assert edge.value("lost_total") == 0
        await asyncio.to_thread(home.close)

    asyncio.run(run())


def test_what_an_edge_that_was_killed_had_not_delivered_the_next_one_delivers(broker, made):
    async def run():
        home = await asyncio.to_thread(Subscriber, broker, "home")
        await until(home.ready.is_set, "the subscription")
        first = Edge(broker, made)
        await asyncio.to_thread(broker.stop)
        for number in range(1, 51):
            first.spool.append(event(number))
        await first.end()
        await asyncio.to_thread(broker.start)
        second = Edge(broker, made)
        second.spool.append(event(51))
        await until(lambda: len(set(home.events())) == 51, "all events")
        assert list(dict.fromkeys(home.events())) == [f"door-{number}" for number in range(1, 52)]
        await second.end()
        await asyncio.to_thread(home.close)

    asyncio.run(run())


def test_home_assistant_finds_entities_and_states_when_it_comes_later(broker, made):
    async def run():
        edge = Edge(broker, made)
        edge.spool.append(event(1, label="cat"))
        edge.spool.append(event(2, kind=Kind.CAMERA_UP))
        await until(lambda: edge.value("delivered_total") == 2, "both")
        home = await asyncio.to_thread(Subscriber, broker, "home")
        state = b'{"seen": "cat", "objects": 0, "connected": true}'
        await until(lambda: home.latest("home/edge1/door/state") == state, "the state that was kept")
        await until(lambda: len({topic for topic, _, _ in home.messages}) == 7 + 3 + 1, "all that is kept")
        assert home.latest("home/edge1/status") == b"online"
        kept = {topic for topic, _, retained in home.messages if retained}
        assert len([each for each in kept if each.startswith("home/discovery/")]) == 7
        assert not [each for each in kept if each.endswith("class_changed")], "an event is not kept"
        await edge.end()
        await asyncio.to_thread(home.close)

    asyncio.run(run())


def test_a_wrong_password_is_named_and_not_told(broker, made, tmp_path, caplog):
    async def run():
        wrong = tmp_path / "wrong"
        wrong.write_text("hunter2")
        edge = Edge(broker, made, events_password_file=str(wrong))
        await until(lambda: edge.value("delivery_failures_total", reason="unauthorized"), "a refusal")
        await edge.end()

    asyncio.run(run())
    assert "does not let this edge in: Not authorized" in caplog.text
    assert "hunter2" not in caplog.text


def test_what_the_broker_allows_no_user_to_publish_is_left_out(made, tmp_path):
    broker = Mosquitto(
        tmp_path, made, acl="user edge\ntopic write home/edge1/status\ntopic write home/edge1/door/#\n"
    ).start()

    async def run():
        edge = Edge(broker, made, events_discovery="")
        for number in (1, 2):
            for camera in CAMERAS:
                edge.spool.append(event(number, camera))
        await until(lambda: edge.value("delivered_total") + edge.value("lost_total") == 4, "the end of all")
        assert edge.value("lost_total", reason="refused") == 2
        assert edge.value("delivery_failures_total", reason="refused") == 2
        await edge.end()

    try:
        asyncio.run(run())
    finally:
        broker.stop()
