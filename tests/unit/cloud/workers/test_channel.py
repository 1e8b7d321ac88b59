"""Messages between parent and worker: both ask at once, answers come in any order, and an end leaves nobody waiting."""

from __future__ import annotations

import asyncio
import contextlib
import socket
from typing import TYPE_CHECKING

import pytest

from cloud.workers.channel import Channel, GoneError, Message

if TYPE_CHECKING:
    from collections.abc import AsyncIterator

NEVER_S = 60.0


@contextlib.asynccontextmanager
async def pair() -> AsyncIterator[tuple[Channel, Channel]]:
    ends = [await Channel.over(end) for end in socket.socketpair()]
    try:
        yield ends[0], ends[1]
    finally:
        for end in ends:
            end.close()


async def echo(message: Message) -> Message | None:
    return Message("echo", {"kind": message.kind, **message.fields}, message.body[::-1])


def test_both_sides_ask_each_other_and_get_their_own_answers() -> None:
    async def scenario() -> None:
        async with pair() as (one, other):
            running = [asyncio.create_task(end.run(echo)) for end in (one, other)]
            asked = [
                end.ask(Message("q", {"n": n}, bytes([n, 0])), NEVER_S)
                for n in range(20)
                for end in (one, other)
            ]
            for place, answer in enumerate(await asyncio.gather(*asked)):
                n = place // 2
                assert answer == Message("echo", {"kind": "q", "n": n}, bytes([0, n])), place
            for task in running:
                task.cancel()

    asyncio.run(scenario())


def test_a_slow_answer_holds_up_no_other() -> None:
    async def scenario() -> None:
        opened = asyncio.Event()

        async def handle(message: Message) -> Message | None:
            if message.kind == "slow":
                await opened.wait()
            return Message(message.kind)

        async with pair() as (one, other):
            running = asyncio.create_task(other.run(handle))
            listening = asyncio.create_task(one.run(echo))
            slow = asyncio.create_task(one.ask(Message("slow"), NEVER_S))
            assert (await one.ask(Message("quick"), NEVER_S)).kind == "quick"
            assert not slow.done()
            opened.set()
            assert (await slow).kind == "slow"
            for task in (running, listening):
                task.cancel()

    asyncio.run(scenario())


def test_whoever_waits_when_the_other_side_ends_is_told() -> None:
    async def scenario() -> None:
        async with pair() as (one, other):
            listening = asyncio.create_task(one.run(echo))
            asked = asyncio.create_task(one.ask(Message("q"), NEVER_S))
            came = asyncio.Event()

            async def never(_: Message) -> Message | None:
                came.set()
                await asyncio.Event().wait()
                return None

            running = asyncio.create_task(other.run(never))
            await came.wait()
            other.close()
            with pytest.raises(GoneError, match="has ended"):
                await asked
            await asyncio.gather(listening, running)  # `run` returns
            one.tell(Message("lost"))  # and nothing raises

    asyncio.run(scenario())


def test_an_answer_that_does_not_come_is_waited_for_so_long_only() -> None:
    async def scenario() -> None:
        async with pair() as (one, _):
            with pytest.raises(GoneError, match="no answer to q within 0 s"):
                await one.ask(Message("q"), 0.0)

    asyncio.run(scenario())


def test_an_error_of_the_handler_is_the_askers_and_ends_nothing(caplog: pytest.LogCaptureFixture) -> None:
    async def handle(message: Message) -> Message | None:
        if message.kind == "wrong":
            raise KeyError("it")
        return None

    async def scenario() -> None:
        async with pair() as (one, other):
            running = [asyncio.create_task(other.run(handle)), asyncio.create_task(one.run(echo))]
            with pytest.raises(GoneError, match="KeyError: 'it'"):
                await one.ask(Message("wrong"), NEVER_S)
            assert await one.ask(Message("right"), NEVER_S) == Message("done")
            for task in running:
                task.cancel()

    asyncio.run(scenario())
    assert "a message of the kind wrong could not be handled" in caplog.text


def test_lengths_beyond_the_limits_are_refused_on_both_sides() -> None:
    async def scenario() -> None:
        async with pair() as (one, other):
            for message in (Message("q", {"text": "x" * (1 << 20)}), Message("q", {}, bytes((32 << 20) + 1))):
                with pytest.raises(ValueError, match="is too long"):
                    one.tell(message)
            one._writer.write(b"\xff" * 8)
            with pytest.raises(GoneError, match="a message of 4294967295"):
                await other.receive()

    asyncio.run(scenario())
