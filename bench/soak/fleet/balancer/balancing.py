"""The balancer that the options ask for: HAProxy, or our own stand-in where it is not installed."""

from __future__ import annotations

import asyncio
import contextlib
import time
from typing import TYPE_CHECKING, Protocol

from bench.soak.fleet.balancer.haproxy import HAProxy, with_servers
from bench.soak.fleet.balancer.stand_in import StandIn

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Sequence
    from pathlib import Path

    from bench.soak.fleet.options import FleetOptions

_START_S = 60.0
_POLL_S = 0.05


class Balancer(Protocol):
    """What edges are told the address of."""

    port: int
    name: str
    """For people, with its version."""


@contextlib.asynccontextmanager
async def balancing(options: FleetOptions, clouds: Sequence[int], folder: Path) -> AsyncIterator[Balancer]:
    """The balancer that the options ask for, listening, before clouds at these ports. Raises RuntimeError."""
    if not options.haproxy:
        async with StandIn(clouds).serving() as stand_in:
            yield stand_in
        return
    text = with_servers(options.configuration.read_text(encoding="utf-8"), clouds)
    haproxy = HAProxy(options.haproxy, text, folder)
    try:
        await _listens(haproxy.port)
        yield haproxy
    finally:
        haproxy.close()


async def _listens(port: int) -> None:
    until = time.monotonic() + _START_S
    while True:
        with contextlib.suppress(OSError):
            _, writer = await asyncio.open_connection("127.0.0.1", port)
            writer.close()
            return
        if time.monotonic() > until:
            raise RuntimeError(f"the balancer does not listen within {_START_S:g} s")
        await asyncio.sleep(_POLL_S)
