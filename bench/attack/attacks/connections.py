"""Attacks by connections that take room and do nothing, and at the door."""

from __future__ import annotations

import asyncio
import itertools
from typing import TYPE_CHECKING

from bench.attack.target import together
from shared.security.tokens.keyring import new_token
from shared.wire.http import CONTENT_TYPE

if TYPE_CHECKING:
    from bench.attack.target import Target

_HELLO = bytes.fromhex("160301020001")
"""The beginning of a TLS record, whose rest never comes."""
_BODY_BYTES = 32 << 20
_CHUNK_BYTES = 1 << 16
_SMALL_BUFFER = 4096
_UNREAD_ASKED = 50
FILES = 256
"""Descriptors that the cloud has when they are to run out."""


async def idle_connections(target: Target) -> None:
    """More connections than one client may have, each with half a header."""

    async def one() -> None:
        held = await target.open()
        try:
            held.writer.write(b"POST /model HTTP/1.1\r\nHost: ")
            await held.stay()
        finally:
            held.close()

    await together(600, one)


async def endless_bodies(target: Target) -> None:
    """Sixteen bodies that lack their last byte."""

    async def one() -> None:
        held = await target.open()
        try:
            held.writer.write(target.header("PUT", "/profiles/" + "a" * 32, _BODY_BYTES))
            for _ in range(_BODY_BYTES // _CHUNK_BYTES - 1):
                held.writer.write(bytes(_CHUNK_BYTES))
                await held.writer.drain()
            held.writer.write(bytes(_CHUNK_BYTES - 1))
            await held.stay()
        finally:
            held.close()

    await together(16, one)


async def slow_bodies(target: Target) -> None:
    """Hundreds of frames that come byte by byte."""

    async def one() -> None:
        held = await target.open()
        try:
            held.writer.write(target.header("POST", "/model", 1 << 16, CONTENT_TYPE))
            while not held.writer.is_closing() and not held.reader.at_eof():
                held.writer.write(b"S")
                await held.writer.drain()
                await asyncio.sleep(0.2)
        finally:
            held.close()

    await together(200, one)


async def unread_answers(target: Target) -> None:
    """Questions with long answers, none of which is read."""

    async def one() -> None:
        held = await target.open(_SMALL_BUFFER)
        try:
            held.writer.transport.pause_reading()  # type: ignore[attr-defined]
            held.writer.write(_UNREAD_ASKED * target.request("GET", "/model"))
            await held.stay()
        finally:
            held.close()

    await together(200, one)


async def logins(target: Target) -> None:
    """Tokens that are none, in the form for browsers and in the header for others."""
    form = "application/x-www-form-urlencoded"
    turns = itertools.cycle((True, False))

    def made() -> bytes:
        token = new_token()
        if next(turns):
            return target.request("POST", "/login", f"token={token}".encode(), form)
        return target.request("GET", "/model", token=token)

    await target.repeat(16, made)


async def handshakes(target: Target) -> None:
    """TLS that begins and does not go on, and beside it TLS that is complete and never used."""

    async def begun() -> None:
        held = await target.open(tls=False)
        try:
            held.writer.write(_HELLO)
            await held.stay()
        finally:
            held.close()

    async def complete() -> None:
        (await target.open()).close()

    async with asyncio.TaskGroup() as group:
        group.create_task(together(200, begun))
        group.create_task(together(4, complete))
