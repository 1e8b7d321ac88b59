"""Real sockets through the emulator. A busy machine may be late, so times have lower limits and very wide upper ones."""

import asyncio
import random
import socket
import time

import pytest
from kits.emulator import (
    LATE_S,
    LOST,
    MBIT,
    Target,
    emulated,
    exchange,
    in_loop,
    is_lost,
    reset,
    until,
)

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
        assert emulator.up_bytes == emulator.down_bytes == 180_000
        assert emulator.connections == emulator.open_connections == 3


@in_loop
async def test_a_round_trip_takes_the_delay_twice():
    async with emulated(Link(delay_s=0.03)) as (_, _, connect):
        connection = await connect()
        times = []
        for _ in range(4):
            start = time.monotonic()
            assert await exchange(connection, b"ping") == b"ping"
            times.append(time.monotonic() - start)
        assert 0.06 <= min(times) < 0.3


@pytest.mark.parametrize("direction", ["up", "down"])
@in_loop
async def test_no_transfer_is_faster_than_the_link(direction):
    link = Link(**{f"{direction}_bits_per_s": 4 * MBIT})
    async with emulated(link) as (_, _, connect):
        connections = [await connect(), await connect()]
        start = time.monotonic()
        await asyncio.gather(*(exchange(connection, bytes(75_000)) for connection in connections))
        assert time.monotonic() - start >= 150_000 * 8 / (4 * MBIT)


@in_loop
async def test_a_change_is_felt_by_what_waits_already():
    async with emulated(Link(up_bits_per_s=1000)) as (
        emulator,
        target,
        connect,
    ):  # 2 s for a chunk, 800 s for all
        connection = await connect()
        connection[1].write(bytes(100_000))
        await asyncio.sleep(0.05)
        assert target.heard in ([], [b""])
        emulator.link = Link(up_bits_per_s=100 * MBIT)
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
        assert emulator.up_bytes < size
        assert writer.transport.get_write_buffer_size() > 0
        target.reads.set()
        await target.has_heard(size)


# --- how connections begin and end ------------------------------------------------------------------------------------


@in_loop
async def test_a_half_close_is_passed_on_behind_the_bytes():
    async with emulated(Link(up_bits_per_s=4 * MBIT, delay_s=0.01)) as (emulator, target, connect):
        reader, writer = await connect()
        writer.write(bytes(20_000))
        writer.write_eof()
        assert await asyncio.wait_for(reader.read(), LATE_S) == bytes(20_000) + b"bye"
        assert (target.heard, target.ends) == ([bytes(20_000)], ["end"])
        await until(lambda: emulator.open_connections == 0)


@in_loop
async def test_a_reset_is_passed_on_either_way():
    async with emulated(Link(delay_s=0.01)) as (emulator, target, connect):
        connection = await connect()
        await exchange(connection, b"hello")
        reset(connection[1])
        await until(lambda: target.ends == ["reset"])
        other = await connect()
        await exchange(other, b"hello")
        target.reset_all.set()
        other[1].write(b"now")
        with pytest.raises(LOST):
            await exchange(other, b"", 100)
        await until(lambda: emulator.open_connections == 0)


@in_loop
async def test_a_target_that_refuses():
    async with emulated() as (emulator, _, connect):
        with socket.socket() as nobody:
            nobody.bind(("127.0.0.1", 0))
            emulator.retarget(*nobody.getsockname())
            reader, _ = await connect()
            assert await is_lost(reader)
        await until(lambda: emulator.open_connections == 0)


@in_loop
async def test_new_connections_go_to_the_new_target():
    async with emulated() as (emulator, target, connect):
        old = await connect()
        await exchange(old, b"one")
        other = Target()
        async with other.serving() as port:
            emulator.retarget("127.0.0.1", port)
            new = await connect()
            await exchange(new, b"two")
            await exchange(old, b"three")
            assert (target.heard, other.heard) == ([b"onethree"], [b"two"])
            new[1].transport.abort()


@in_loop
async def test_it_closes_in_the_middle_of_everything():
    async with emulated(Link(up_bits_per_s=1 * MBIT, delay_s=1)) as (emulator, _, connect):
        for reader, writer in [await connect() for _ in range(5)]:
            writer.write(bytes(1_000_000))
            assert not reader.at_eof()
        await until(lambda: emulator.connections == 5)
        reader, _ = await connect()  # may not be accepted yet
        await emulator.close()
        assert emulator.open_connections == 0
        assert await is_lost(reader)


@in_loop
async def test_it_listens_where_it_is_told():
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
