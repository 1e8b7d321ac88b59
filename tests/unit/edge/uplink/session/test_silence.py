"""A link that is cut without a word: nothing comes back, and nothing fails."""

import asyncio
import contextlib
import time

from kits.session_cloud import session_cloud
from kits.streaming import Camera, opened, with_sessions
from kits.uplink import make_uplink, metric

from edge.metrics import EdgeMetrics
from edge.uplink.link import LinkState
from edge.uplink.session import pump, session


@contextlib.asynccontextmanager
async def mute_link(url):
    """A URL of the cloud behind a link, and a set: nothing more passes in connections whose numbers are in it."""
    host, port = url.removeprefix("http://").split(":")
    dead, writers = set(), []

    async def pipe(number, reader, writer):
        with contextlib.suppress(OSError):
            while data := await reader.read(1 << 16):
                if number not in dead:
                    writer.write(data)
                    await writer.drain()
        writer.close()

    async def serve(reader, writer):
        number = len(writers)
        cloud_reader, cloud_writer = await asyncio.open_connection(host, int(port))
        writers.append((writer, cloud_writer))
        await asyncio.gather(pipe(number, reader, cloud_writer), pipe(number, cloud_reader, writer))

    server = await asyncio.start_server(serve, "127.0.0.1", 0)
    try:
        yield "http://{}:{}".format(*server.sockets[0].getsockname()), dead, writers
    finally:
        server.close()
        for each in writers:
            for writer in each:
                writer.transport.abort()
        await asyncio.sleep(0.05)


def test_a_cut_is_noticed_though_no_more_frames_are_sent(monkeypatch):
    monkeypatch.setattr(session, "_SILENCE_S", 0.4)
    monkeypatch.setattr(pump, "_LOOK_S", 0.02)

    async def go():
        async with contextlib.AsyncExitStack() as ends:
            cloud = await ends.enter_async_context(session_cloud())
            url, dead, connections = await ends.enter_async_context(mute_link(cloud.url))
            uplink = make_uplink(url, deadline_s=0.2, metrics=EdgeMetrics())
            await ends.enter_async_context(uplink)
            await opened(uplink)
            uplink._line.flow._ask_state = lambda: LinkState(50_000.0, 0.02, 0)
            camera = Camera(uplink, deadline_s=0.2, size=20_000, live=True)
            await camera.ask()
            dead.update(range(len(connections)))
            cut_at, tasks = time.monotonic(), []
            while cloud.opened < 2:
                assert time.monotonic() < cut_at + 10
                tasks.append(asyncio.create_task(camera.ask()))
                await asyncio.sleep(0.05)
            await asyncio.gather(*tasks)
            assert metric(uplink, "session_withheld_total") > 0

    asyncio.run(asyncio.wait_for(go(), 30))


def test_a_cloud_that_takes_its_time_is_not_silent(monkeypatch):
    monkeypatch.setattr(session, "_SILENCE_S", 0.2)
    monkeypatch.setattr(pump, "_LOOK_S", 0.02)

    async def check(cloud, uplink):
        camera = Camera(await opened(uplink))
        cloud.holding = asyncio.Event()
        task = camera.start()
        await asyncio.sleep(0.8)
        cloud.holding.set()
        assert await task == "right"
        assert cloud.opened == 1

    with_sessions(check, deadline_s=0.1)
