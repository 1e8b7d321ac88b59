"""What crossed a link, counted at its sockets, and the headers that they do not see."""

from kits.emulator import emulated, exchange, in_loop

from bench.emulator.counts import HEADER_BYTES, Counts


@in_loop
async def test_bytes_are_counted_both_ways():
    async with emulated() as (emulator, _, connect):
        connection = await connect()
        await exchange(connection, b"x" * 5000)
        before = emulator.counts()
        assert (before.up_bytes, before.down_bytes, before.connections) == (5000, 5000, 1)
        await exchange(connection, b"y" * 10)
        found = emulator.counts() - before
    assert (found.up_bytes, found.down_bytes, found.socket_bytes, found.connections) == (10, 10, 20, 0)
    assert (found.up_segments, found.down_segments) == (1, 1)


def test_headers_are_those_of_segments_and_of_acknowledgements_that_nothing_takes_along():
    assert Counts(up_segments=1, down_segments=1).header_bytes == 2 * HEADER_BYTES
    assert Counts(up_segments=10, down_segments=1).header_bytes == (11 + 4) * HEADER_BYTES
    assert Counts(up_segments=3).header_bytes == (3 + 2) * HEADER_BYTES
    assert Counts(connections=1).header_bytes == 3 * 60 + 4 * HEADER_BYTES
    assert Counts().header_bytes == 0
