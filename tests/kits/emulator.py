"""What the emulator's tests share: a target, an emulator before it, and what clients do. No tests."""

import asyncio
import functools
import socket
import struct
from contextlib import asynccontextmanager

import pytest
from kits import virtual_time

from bench.emulator.link import Link
from bench.emulator.proxy import Emulator

MBIT = 1e6
LATE_S = 5000
LOST = (ConnectionError, asyncio.IncompleteReadError)


def in_loop(test):
    """Run a test in an event loop whose clock jumps: what it says of times is exact, and takes none."""

    @functools.wraps(test)
    def run(*arguments, **named):
        virtual_time.run(asyncio.wait_for(test(*arguments, **named), 20_000))

    return run


class Target:
    """Answers what it hears with the same, and keeps it by connection."""

    def __init__(self, *, answers=True):
        self.heard = []
        self.ends = []
        self.answers = answers
        self.reset_all = asyncio.Event()
        self.reads = asyncio.Event()
        self.reads.set()
        self._handlers = set()

    async def _handle(self, reader, writer):
        self._handlers.add(asyncio.current_task())
        heard = bytearray()
        self.heard.append(heard)
        try:
            while data := await reader.read(65536):
                heard += data
                await self.reads.wait()
                if self.answers:
                    writer.write(data)
                if self.reset_all.is_set():
                    reset(writer)
            self.ends.append("end")
            writer.write(b"bye" if self.answers else b"")
        except ConnectionError:
            self.ends.append("reset")
        writer.close()

    @asynccontextmanager
    async def serving(self):
        server = await asyncio.start_server(self._handle, "127.0.0.1", 0)
        try:
            yield server.sockets[0].getsockname()[1]
        finally:
            server.close()
            await asyncio.gather(*self._handlers)

    async def has_heard(self, size):
        await until(lambda: sum(map(len, self.heard)) >= size)


@asynccontextmanager
async def emulated(link=None, *, answers=True, seed=0):
    """A target, an emulator before it, and how to connect to that. Nothing of the emulator may be left afterwards."""
    target = Target(answers=answers)
    async with target.serving() as port:
        emulator = Emulator("127.0.0.1", port, link or Link(), seed=seed)
        before = asyncio.all_tasks()
        listening = await emulator.start()
        writers = []

        async def connect():
            reader, writer = await asyncio.open_connection("127.0.0.1", listening)
            writers.append(writer)
            return reader, writer

        try:
            yield emulator, target, connect
        finally:
            for writer in writers:
                writer.transport.abort()
            await emulator.close()
            assert emulator.open_connections == 0
            await asyncio.sleep(0)
            left = asyncio.all_tasks() - before - target._handlers
            assert not left


async def until(condition):
    async with asyncio.timeout(LATE_S):
        while not condition():
            await asyncio.sleep(0.002)


async def exchange(connection, data, size=None):
    """What comes back."""
    reader, writer = connection
    writer.write(data)
    async with asyncio.timeout(LATE_S):
        return await reader.readexactly(len(data) if size is None else size)


async def nothing_comes(reader, seconds=0.1):
    with pytest.raises(TimeoutError):
        await asyncio.wait_for(reader.read(1), seconds)
    return True


async def is_lost(reader):
    """Whether the connection ends, with or without an error, and nothing comes before."""
    try:
        return await asyncio.wait_for(reader.read(), LATE_S) == b""
    except ConnectionError:
        return True


def reset(writer):
    writer.get_extra_info("socket").setsockopt(socket.SOL_SOCKET, socket.SO_LINGER, struct.pack("ii", 1, 0))
    writer.transport.abort()
