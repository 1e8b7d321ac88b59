"""Real sockets through the emulator, by a clock that jumps: bytes, and the times that they take."""

import asyncio
import random
import socket

import pytest
from kits.emulator import MBIT, emulated, exchange, in_loop

from bench.emulator.link import Link
from bench.emulator.proxy import Emulator

# --- bytes and times --------------------------------------------------------------------------------------------------


@in_loop
async def test_bytes_arrive_intact_and_in_order():
    link = Link(20 * MBIT, 30 * MBIT, delay_s=0.002, jitter_s=0.005, loss=0.02, stall_s=0.02)
    chance = random.Random(7)
    async with emulated(link) as (emulator, target, connect):
        connections = [await connect() for _ in range(3)]
        datas = [chance.randbytes(60_000) for _ in connections]
        for (_, writer), data in zip(connections, datas, strict=True):
            rest = data
            while rest:
                size = chance.randrange(1, 9000)
                writer.write(rest[:size])
                rest = rest[size:]
        answers = [
            await exchange(connection, b"", len(data))
            for connection, data in zip(connections, datas, strict=True)
        ]
        assert answers == datas
        assert sorted(target.heard) == sorted(datas)
        assert emulator.up.forwarded_bytes == emulator.down.forwarded_bytes == 180_000
        assert emulator.connections == emulator.open_connections == 3


@in_loop
async def test_a_round_trip_takes_the_delay_twice():
    clock = asyncio.get_running_loop().time
    async with emulated(Link(delay_s=0.03)) as (_, _, connect):
        connection = await connect()
        for _ in range(4):
            start = clock()
            assert await exchange(connection, b"ping") == b"ping"
            assert clock() - start == pytest.approx(0.06)


@pytest.mark.parametrize("direction", ["up", "down"])
@in_loop
async def test_no_transfer_is_faster_than_the_link(direction):
    clock = asyncio.get_running_loop().time
    link = Link(**{f"{direction}_bits_per_s": 4 * MBIT})
    async with emulated(link) as (_, _, connect):
        connections = [await connect(), await connect()]
        start = clock()
        await asyncio.gather(*(exchange(connection, bytes(75_000)) for connection in connections))
        assert clock() - start >= 0.999 * 150_000 * 8 / (4 * MBIT)


@in_loop
async def test_a_change_is_felt_by_what_waits_already():
    slow = Link(up_bits_per_s=1000)  # 2 s for a chunk, 800 s for all
    async with emulated(slow) as (emulator, target, connect):
        connection = await connect()
        connection[1].write(bytes(100_000))
        await asyncio.sleep(0.05)
        assert target.heard in ([], [b""])
        emulator.change(Link(up_bits_per_s=100 * MBIT))
        assert emulator.link.up_bits_per_s == 100 * MBIT
        await target.has_heard(100_000)


@in_loop
async def test_a_target_that_does_not_read_stops_the_sender():
    size = 24_000_000  # more than the kernel's buffers hold
    async with emulated(answers=False) as (emulator, target, connect):
        target.reads.clear()
        _, writer = await connect()
        writer.write(bytes(size))
        await asyncio.sleep(0.3)
        assert emulator.up.forwarded_bytes < size
        assert writer.transport.get_write_buffer_size() > 0
        target.reads.set()
        await target.has_heard(size)


# --- listening --------------------------------------------------------------------------------------------------------


@in_loop
async def test_it_listens_on_the_given_port():
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    emulator = Emulator("127.0.0.1", 1)
    assert await emulator.start(port) == port
    with pytest.raises(OSError, match="in use"):
        await Emulator("127.0.0.1", 1).start(port)
    await emulator.close()


@in_loop
async def test_it_may_be_started_again():
    async with emulated() as (emulator, _, connect):
        await exchange(await connect(), b"before")
        await emulator.close()
        port = await emulator.start()
        connection = await asyncio.open_connection("127.0.0.1", port)
        assert await exchange(connection, b"after") == b"after"
        connection[1].transport.abort()


# --- traces -----------------------------------------------------------------------------------------------------------


@in_loop
async def test_a_trace_is_played_in_order_and_in_time():
    clock = asyncio.get_running_loop().time
    trace = [(0.02, Link(delay_s=1)), (0.03, Link(delay_s=2)), (0.0, Link(up_bits_per_s=1e6))]
    seen = []

    class Recorder(Emulator):
        def change(self, link):
            seen.append((clock(), link))

    start = clock()
    await Recorder("127.0.0.1", 1).play(trace)
    assert [link for _, link in seen] == [link for _, link in trace]
    assert [at - start for at, _ in seen] == pytest.approx([0.0, 0.02, 0.05])
