"""How connections through the emulator begin and end."""

import asyncio
import socket

import pytest
from kits.emulator import LATE_S, LOST, MBIT, emulated, exchange, in_loop, is_lost, reset, until

from bench.emulator.link import Link
from bench.emulator.proxy import Emulator


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
    with socket.socket() as closed:
        closed.bind(("127.0.0.1", 0))  # and does not listen
        emulator = Emulator(*closed.getsockname())
        reader, writer = await asyncio.open_connection("127.0.0.1", await emulator.start())
        assert await is_lost(reader)
        writer.transport.abort()
        await until(lambda: emulator.open_connections == 0)
        await emulator.close()


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
