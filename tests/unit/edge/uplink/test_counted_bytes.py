"""Every byte that passes the socket is counted, and nothing else is: requests, refusals, profiles and sessions."""

from __future__ import annotations

import asyncio
import contextlib

import pytest
from kits.choices import profile_of
from kits.session_cloud import session_cloud
from kits.streaming import Camera, opened
from kits.uplink import fake_cloud, frame_of, make_uplink, metric

from edge.metrics import EdgeMetrics


class Relay:
    """Passes everything on, and counts it."""

    def __init__(self, port):
        self._port = port
        self.bytes = {"up": 0, "down": 0}
        self._tasks, self._writers = set(), []

    async def join(self, reader, writer):
        there, back = await asyncio.open_connection("127.0.0.1", self._port)
        self._writers += [writer, back]
        ways = [self._pass(reader, back, "up"), self._pass(there, writer, "down")]
        self._tasks |= {asyncio.ensure_future(each) for each in ways}

    async def end(self):
        for task in self._tasks:
            task.cancel()
        await asyncio.gather(*self._tasks, return_exceptions=True)
        for writer in self._writers:
            writer.close()
            with contextlib.suppress(ConnectionError):
                await writer.wait_closed()

    async def _pass(self, reader, writer, direction):
        with contextlib.suppress(ConnectionError):
            while data := await reader.read(1 << 16):
                self.bytes[direction] += len(data)
                writer.write(data)
                await writer.drain()
        with contextlib.suppress(ConnectionError):
            writer.close()


@contextlib.asynccontextmanager
async def counted(opening, **options):
    """An uplink by way of a relay."""
    async with opening() as cloud:
        relay = Relay(int(cloud.url.rpartition(":")[2]))
        server = await asyncio.start_server(relay.join, "127.0.0.1", 0)
        port = server.sockets[0].getsockname()[1]
        uplink = make_uplink(
            f"http://127.0.0.1:{port}", **({"metrics": EdgeMetrics(), "deadline_s": 20.0} | options)
        )
        try:
            async with uplink:
                yield cloud, uplink, relay
        finally:
            server.close()
            await relay.end()


async def same(uplink, relay):
    """Wait until what is under way has come."""

    def seen():
        return {each: metric(uplink, "wire_bytes_total", direction=each) for each in ("up", "down")}

    async with asyncio.timeout(10):
        while seen() != relay.bytes:
            await asyncio.sleep(0.01)
    return seen()


def run(check, opening, **options):
    async def go():
        async with counted(opening, **options) as (cloud, uplink, relay):
            await check(cloud, uplink, relay)

    asyncio.run(asyncio.wait_for(go(), 60))


def test_requests_with_all_that_is_around_them():
    async def check(_cloud, uplink, relay):
        await uplink.greet()
        for size in (100, 5000, 200_000):
            await uplink.ask(frame_of(size))
        found = await same(uplink, relay)
        assert found["up"] > 205_100
        assert found["down"] > 500

    run(check, fake_cloud)


def test_a_profile_counts_too_and_is_taken_off_the_budget():
    profile = profile_of("layer4")

    async def check(_cloud, uplink, relay):
        uplink._metrics.wire.limit(10_000_000)
        await uplink.check()
        found = await same(uplink, relay)
        assert found["up"] > len(profile.data)
        left = uplink._metrics.wire.budget.left_bytes
        assert left == pytest.approx(10_000_000 - sum(found.values()))

    run(check, fake_cloud, profiles=[profile])


def test_a_session_is_counted_alike():
    async def check(_cloud, uplink, relay):
        camera = Camera(await opened(uplink))
        for _ in range(30):
            assert await camera.ask() == "right"
        found = await same(uplink, relay)
        assert found["up"] > 30

    run(check, session_cloud)


def test_what_is_never_answered_counts():
    async def check(cloud, uplink, relay):
        cloud.answers = [cloud.never]
        with contextlib.suppress(Exception):
            await asyncio.wait_for(uplink.ask(frame_of(20_000)), 1.0)
        found = await same(uplink, relay)
        assert found["up"] > 20_000

    run(check, fake_cloud)
