"""TLS to targets: whom they are believed to be, what is said if not, and what this edge shows them."""

from __future__ import annotations

import asyncio
import base64
import ssl
from pathlib import Path

import pytest
from kits.certificates import Certificates
from kits.delivering import event

from bench.soak.events.broker import Broker
from bench.soak.events.receiver import Receiver
from edge.config import EdgeSettings
from edge.metrics import EdgeMetrics
from edge.output.events.delivery.opening import Deliveries
from edge.output.events.spool import Spool
from shared.security.tls.context import server_context

KEY = bytes(range(32))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    return Certificates.at(tmp_path_factory.mktemp("authority"))


@pytest.fixture(scope="module")
def other(tmp_path_factory):
    return Certificates.at(tmp_path_factory.mktemp("other"))


def server(made, *, mutual=False):
    context = server_context(made.files("cloud", authority=mutual))
    if mutual:
        context.verify_mode = ssl.CERT_REQUIRED
    return context


class Rig:
    """A broker and a receiver behind TLS, and an edge that has one event for both."""

    def __init__(self, folder, context, host="localhost", **given):
        self.folder, self.host, self.given = folder, host, given
        self.broker, self.receiver = Broker(tls=context), Receiver(KEY, tls=context)
        self.metrics = EdgeMetrics(["door"])

    async def __aenter__(self):
        await self.broker.start()
        await self.receiver.start()
        secret = self.folder / "secret"
        secret.write_bytes(base64.b64encode(KEY))
        ports = f"mqtts://{self.host}:{self.broker.port},https://{self.host}:{self.receiver.port}/S3CRET"
        given = EdgeSettings(events=ports, events_secret_file=str(secret), **self.given)
        self.deliveries = Deliveries(given, self.metrics, ["door"])
        self.spool = Spool(self.folder / "spool", 1 << 20, self.metrics.events)
        self.deliveries.start(self.spool)
        self.spool.start()
        self.spool.append(event(1))
        return self

    async def __aexit__(self, *_):
        await self.deliveries.end()
        self.spool.close()
        await self.broker.stop()
        await self.receiver.stop()

    def count(self, reason):
        """At how many targets this has happened."""
        name = "splitdnn_edge_events_delivery_failures_total"
        samples = [each for family in self.metrics.registry.collect() for each in family.samples]
        return sum(
            1 for each in samples if each.name == name and each.labels["reason"] == reason and each.value
        )

    async def until(self, condition):
        async with asyncio.timeout(20):
            while not condition():
                await asyncio.sleep(0.005)

    async def arrived(self):
        await self.until(lambda: self.receiver.received and len(self.broker.received) >= 2)


def test_targets_of_a_ca_of_ones_own_are_believed(made, tmp_path):
    async def run():
        async with Rig(tmp_path, server(made), events_ca=made.path("edge", "ca.crt")) as rig:
            await rig.arrived()

    asyncio.run(run())


def test_targets_of_another_ca_get_nothing(made, other, tmp_path, caplog):
    async def run():
        async with Rig(tmp_path, server(made), events_ca=other.path("edge", "ca.crt")) as rig:
            await rig.until(lambda: rig.count("untrusted") == 2)
            assert (rig.broker.clients, rig.receiver.requests) == ([], 0)

    asyncio.run(run())
    assert caplog.text.count("give --events-ca the file of the CA that has signed it") == 2
    assert "S3CRET" not in caplog.text


def test_a_certificate_for_another_name_is_not_taken(made, tmp_path, caplog):
    made.issue("cloud", ("localhost",))

    async def run():
        async with Rig(tmp_path, server(made), "127.0.0.1", events_ca=made.path("edge", "ca.crt")) as rig:
            await rig.until(lambda: rig.count("untrusted") == 2)

    asyncio.run(run())
    made.issue("cloud")
    assert caplog.text.count("give --events a name that it is for") == 2


def test_a_certificate_is_shown_to_targets_that_ask_for_one(made, tmp_path):
    given = {name: made.path("edge", file) for name, file in
             {"events_ca": "ca.crt", "events_certificate": "tls.crt", "events_key": "tls.key"}.items()}  # fmt: skip

    async def run():
        async with Rig(tmp_path, server(made, mutual=True), **given) as rig:
            await rig.arrived()

    asyncio.run(run())


def test_without_one_nothing_is_delivered_there(made, tmp_path):
    async def run():
        given = {"events_ca": made.path("edge", "ca.crt")}
        async with Rig(tmp_path, server(made, mutual=True), **given) as rig:
            await rig.until(lambda: rig.count("untrusted") + rig.count("unreachable") >= 2)
            assert (rig.broker.clients, rig.receiver.requests) == ([], 0)

    asyncio.run(run())


def test_a_renewed_certificate_is_shown_on_the_next_connection(made, other, tmp_path):
    """The CA's file is replaced while the edge runs: what was not believed is."""
    ca = tmp_path / "ca.crt"
    ca.write_bytes(Path(other.path("edge", "ca.crt")).read_bytes())

    async def run():
        async with Rig(tmp_path, server(made), events_ca=str(ca)) as rig:
            await rig.until(lambda: rig.count("untrusted") == 2)
            ca.write_bytes(Path(made.path("edge", "ca.crt")).read_bytes())
            for _ in range(2):
                rig.deliveries._tls.look()
            await rig.arrived()

    asyncio.run(run())
