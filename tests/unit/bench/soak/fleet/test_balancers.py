"""The balancer before a fleet: HAProxy's file is changed in one place, and the stand-in does by requests what HAProxy does."""

from __future__ import annotations

import asyncio
import contextlib
from urllib.parse import urlsplit

import pytest

from bench.load.connection import Connection
from bench.soak.fleet.balancer.haproxy import with_servers
from bench.soak.fleet.balancer.stand_in import StandIn

REQUEST = b"POST /model HTTP/1.1\r\nHost: x\r\nContent-Length: 4\r\n\r\nbody"


def test_the_line_that_finds_clouds_by_name_becomes_one_for_each_cloud_and_all_else_stays():
    text = 'backend clouds\n    balance x\n    server-template cloud 16 "n:1" resolvers dns\n\nfrontend m\n'
    assert with_servers(text, [5, 6]) == (
        "backend clouds\n    balance x\n    server cloud1 127.0.0.1:5\n    server cloud2 127.0.0.1:6\n\nfrontend m\n"
    )
    for wrong in ("backend clouds\n", text + text):
        with pytest.raises(RuntimeError, match="server-template"):
            with_servers(wrong, [5])


class Cloud:
    """Answers with its number; refuses connections while it is down, and cuts what is under way when it goes down."""

    def __init__(self, number, server):
        self.number, self.asked = number, 0
        self.door = server(self.answer)
        self.free = asyncio.Event()
        self.free.set()

    async def answer(self, head, _body, writer):
        self.asked += head.startswith(b"POST")
        await self.free.wait()
        writer.write(b"HTTP/1.1 200 OK\r\nSplitDNN-Cloud: %016x\r\nContent-Length: 2\r\n\r\n{}" % self.number)
        return True


@pytest.fixture
def three(server):
    """A context: three clouds, and what asks them through the stand-in on one connection."""

    @contextlib.asynccontextmanager
    async def three():
        clouds = [Cloud(number, server) for number in range(3)]
        for each in clouds:
            await each.door.start()
        async with StandIn([each.door.port for each in clouds]).serving() as balancer:
            connection = Connection(urlsplit(f"http://127.0.0.1:{balancer.port}"))

            async def ask():
                return await connection.exchange(REQUEST, 60)

            yield clouds, ask
            connection.close()
        for each in clouds:
            each.free.set()
            await each.door.stop()

    return three


def test_requests_of_one_connection_take_turns_and_say_who_answered(three):
    async def check():
        async with three() as (clouds, ask):
            said = [(await ask()).cloud for _ in range(6)]
            assert [each.asked for each in clouds] == [2, 2, 2]
            assert sorted(said) == sorted([f"{number:016x}" for number in range(3)] * 2)

    asyncio.run(check())


def test_a_cloud_that_is_away_or_dies_with_a_request_costs_no_answer_and_comes_back(three):
    async def check():
        async with three() as (clouds, ask):
            first, second, third = clouds
            first.free.clear()
            asking = asyncio.create_task(ask())
            while not first.asked:
                await asyncio.sleep(0.001)
            first.door.cut()
            assert (await asking).cloud == f"{second.number:016x}"
            await third.door.stop()
            assert [(await ask()).status for _ in range(4)] == [200] * 4
            await second.door.stop()
            refused = await ask()
            assert (refused.status, refused.cloud) == (503, "")
            await second.door.start()
            while (await ask()).status != 200:
                await asyncio.sleep(0.01)

    asyncio.run(check())
