"""What the emulator does to connections on purpose."""

import asyncio

import pytest
from kits.emulator import (
    LOST,
    MBIT,
    emulated,
    exchange,
    in_loop,
    is_lost,
    nothing_comes,
    reset,
    until,
)

from bench.emulator.link import Link

# --- black hole and blackout ------------------------------------------------------------------------------------------


@in_loop
async def test_a_black_hole_swallows_and_gives_nothing_back():
    async with emulated() as (emulator, target, connect):
        old = await connect()
        await exchange(old, b"before")
        emulator.black_hole(True)
        during = await connect()
        for _, writer in (old, during):
            writer.write(bytes(300_000))
            await asyncio.wait_for(writer.drain(), 5)  # taken
        assert await nothing_comes(old[0])
        assert await nothing_comes(during[0])
        emulator.black_hole(False)
        assert await exchange(await connect(), b"after") == b"after"
        assert await nothing_comes(old[0])
        assert await nothing_comes(during[0])
        assert target.heard == [b"before", b"after"]


@in_loop
async def test_in_a_black_hole_nobody_hears_that_the_other_side_left():
    async with emulated() as (emulator, target, connect):
        old = await connect()
        await exchange(old, b"before")
        emulator.black_hole(True)
        other = await connect()
        await until(lambda: emulator.open_connections == 2)
        reset(old[1])
        other[1].close()
        await asyncio.sleep(0.1)
        assert target.ends == []
        emulator.black_hole(False)
        await until(lambda: target.ends == ["reset"])
        await until(lambda: emulator.open_connections == 0)


@in_loop
async def test_a_dead_connection_ends_when_its_client_leaves():
    async with emulated() as (emulator, target, connect):
        old = await connect()
        await exchange(old, b"before")
        emulator.black_hole(True)
        emulator.black_hole(False)
        old[1].close()
        await until(lambda: emulator.open_connections == 0)
        await until(lambda: target.ends == ["reset"])


@in_loop
async def test_after_a_blackout_everything_moves_on():
    async with emulated(Link(up_bits_per_s=20 * MBIT, delay_s=0.01)) as (emulator, target, connect):
        old = await connect()
        await exchange(old, b"before")
        old[1].write(bytes(100_000))
        await target.has_heard(10_000)
        emulator.blackout(True)
        stood_at = emulator.up.forwarded_bytes
        new = await connect()
        new[1].write(b"new")
        await asyncio.sleep(0.1)
        assert emulator.up.forwarded_bytes == stood_at
        assert len(target.heard) == 1
        emulator.blackout(False)
        assert await exchange(old, b"after", 100_005) == bytes(100_000) + b"after"
        assert await exchange(new, b"", 3) == b"new"


@pytest.mark.parametrize("how", ["end", "reset"])
@in_loop
async def test_in_a_blackout_ends_do_not_move_either(how):
    async with emulated() as (emulator, target, connect):
        _, writer = connection = await connect()
        await exchange(connection, b"before")
        emulator.blackout(True)
        if how == "end":
            writer.write_eof()
        else:
            reset(writer)
        await asyncio.sleep(0.1)
        assert target.ends == []
        emulator.blackout(False)
        await until(lambda: target.ends == [how])


# --- refused and cut --------------------------------------------------------------------------------------------------


@in_loop
async def test_refused_connections_are_reset_old_and_new():
    async with emulated() as (emulator, target, connect):
        old = await connect()
        await exchange(old, b"before")
        emulator.refuse(True)
        with pytest.raises(LOST):
            await exchange(old, b"during")
        with pytest.raises(LOST):
            await exchange(await connect(), b"during")
        await until(lambda: target.ends == ["reset"])
        emulator.refuse(False)
        assert await exchange(await connect(), b"after") == b"after"
        assert target.heard == [b"before", b"after"]


@in_loop
async def test_a_cut_resets_what_is_open_and_nothing_else():
    async with emulated(Link(delay_s=0.001)) as (emulator, target, connect):
        connections = [await connect() for _ in range(2)]
        for connection in connections:
            await exchange(connection, b"before")
        emulator.cut()
        for reader, _ in connections:
            assert await is_lost(reader)
        await until(lambda: target.ends == ["reset", "reset"])
        assert await exchange(await connect(), b"after") == b"after"


@in_loop
async def test_a_cut_while_the_target_is_not_reached_yet():
    async with emulated() as (emulator, target, connect):
        emulator.blackout(True)
        reader, _ = await connect()
        await until(lambda: emulator.connections == 1)
        emulator.cut()
        assert await is_lost(reader)
        emulator.blackout(False)
        await until(lambda: emulator.open_connections == 0)
        assert target.heard == []


@pytest.mark.parametrize("when", ["open", "not open yet"])
@in_loop
async def test_a_cut_in_the_middle_of_a_frame(when):
    async with emulated(answers=False) as (emulator, target, connect):
        if when == "not open yet":
            emulator.cut(after_bytes=12_345)
        first = await connect()
        await until(lambda: emulator.connections == 1)
        if when == "open":
            emulator.cut(after_bytes=12_345)
        first[1].write(bytes(50_000))
        assert await is_lost(first[0])
        await until(lambda: target.ends == ["reset"])
        assert len(target.heard[0]) <= 12_345
        assert emulator.up.forwarded_bytes == 12_345
        second = await connect()  # is left alone
        second[1].write(bytes(50_000))
        await until(lambda: len(target.heard) == 2 and len(target.heard[1]) == 50_000)


@in_loop
async def test_what_cannot_be_cut():
    async with emulated() as (emulator, _, _):
        with pytest.raises(ValueError, match="after_bytes is -1; accepted is 0 or more, or None"):
            emulator.cut(after_bytes=-1)


# --- corruption -------------------------------------------------------------------------------------------------------


def flipped_bits(sent, got):
    """Their positions."""
    assert len(sent) == len(got)
    return [
        8 * place + bit
        for place, (one, other) in enumerate(zip(sent, got, strict=True))
        for bit in range(8)
        if (one ^ other) >> bit & 1
    ]


@pytest.mark.parametrize("direction", ["up", "down"])
@in_loop
async def test_exactly_one_bit_flips(direction):
    async with emulated() as (emulator, target, connect):
        connection = await connect()
        emulator.corrupt(1, direction=direction)
        answer = await exchange(connection, bytes(30_000))
        assert len(flipped_bits(bytes(30_000), answer)) == 1
        assert len(flipped_bits(bytes(30_000), target.heard[0])) == (1 if direction == "up" else 0)
        assert await exchange(connection, bytes(30_000)) == bytes(30_000)


@in_loop
async def test_so_many_chunks_after_so_many_bytes():
    async with emulated(Link(up_bits_per_s=100 * MBIT)) as (emulator, target, connect):
        connection = await connect()
        emulator.corrupt(3, skip=10_000)
        await exchange(connection, bytes(60_000))
        flipped = flipped_bits(bytes(60_000), target.heard[0])
        assert len(flipped) == 3
        assert flipped[0] >= 10_000 * 8


@in_loop
async def test_short_chunks_are_left_alone():
    async with emulated() as (emulator, _, connect):
        connection = await connect()
        emulator.corrupt(1, skip=100)
        assert await exchange(connection, bytes(63)) == bytes(63)
        assert await exchange(connection, bytes(100)) == bytes(100)  # of which 63 count
        assert len(flipped_bits(bytes(64), await exchange(connection, bytes(64)))) == 1


@pytest.mark.parametrize(("times", "skip", "name"), [(-1, 0, "times"), (1, -1, "skip")])
@in_loop
async def test_what_cannot_be_corrupted(times, skip, name):
    async with emulated() as (emulator, _, _):
        with pytest.raises(ValueError, match=f"{name} is -1; accepted is 0 or more"):
            emulator.corrupt(times, skip=skip)
