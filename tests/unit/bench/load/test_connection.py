"""The generator's connections over real sockets: kept, opened again after a loss, and failing where nothing answers."""

import asyncio
from urllib.parse import urlsplit

import pytest
from kits import virtual_time

from bench.harness.process import free_port
from bench.load.connection import Connection, ExchangeError
from bench.load.generator import FAILED, Generator, Load
from bench.load.result import result_of


def ask(cloud, request_bytes, times, timeout_s=20.0):
    """The statuses of so many requests, one after another."""

    async def play():
        async with cloud.serving() as url:
            connection = Connection(url)
            statuses = []
            for _ in range(times):
                try:
                    statuses.append(await connection.ask(request_bytes, timeout_s))
                except ExchangeError:
                    statuses.append(FAILED)
            connection.close()
            return statuses

    return asyncio.run(play())


def test_a_connection_is_kept(fake_cloud, request_bytes):
    cloud = fake_cloud([503])
    assert ask(cloud, request_bytes, 5) == [503, 200, 200, 200, 200]
    assert cloud.connections == 1


def test_a_server_that_closes_its_connections_is_asked_again(fake_cloud, request_bytes):
    cloud = fake_cloud(close_after=1)
    statuses = ask(cloud, request_bytes, 12)
    assert cloud.connections >= 5
    assert statuses.count(200) >= 5
    assert set(statuses) <= {200, FAILED}


def test_an_answer_that_does_not_come_in_time_is_an_error(fake_cloud, request_bytes):
    cloud = fake_cloud()
    cloud.open.clear()
    assert ask(cloud, request_bytes, 1, timeout_s=0.01) == [FAILED]


def test_a_request_while_none_listens(request_bytes):
    url = urlsplit(f"http://127.0.0.1:{free_port()}")
    load = Load(clients=1, seconds=0.05, rate=80.0, warm_s=0.0)
    found = virtual_time.run(Generator(url, [[request_bytes]], load, Connection).run())
    assert {each.status for each in found.requests} == {FAILED}
    assert result_of(found).answered == 0


def test_the_generator_uses_the_connections_of_a_real_server(fake_cloud, request_bytes):
    cloud = fake_cloud()

    async def play():
        async with cloud.serving() as url:
            load = Load(clients=2, seconds=0.05, warm_s=0.0, max_requests=20)
            return await Generator(url, [[request_bytes]], load, Connection).run()

    found = virtual_time.run(play())
    assert {each.status for each in found.requests} == {200}
    assert (len(found.requests), cloud.connections) == (20, 2)
    with pytest.raises(ExchangeError):  # the server is gone
        asyncio.run(Connection(urlsplit(f"http://127.0.0.1:{free_port()}")).ask(request_bytes, 1.0))
