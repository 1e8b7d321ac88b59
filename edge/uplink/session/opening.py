"""One connection of a session, from the first byte to the cloud's welcome."""

from __future__ import annotations

import asyncio
from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.uplink.session.connection import BrokenOffError, Connection, NoUpgradeError
from shared.errors import WireError
from shared.wire.session.edge import EdgeConnection
from shared.wire.session.messages import Welcome

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.uplink.client import CloudClient
    from edge.uplink.session.carrying.estimate import Estimate
    from edge.uplink.session.carrying.flow import Flow
    from edge.uplink.session.metrics import SessionMetrics
    from shared.wire.session.messages import Hello


OPENING_S = 10.0


@dataclass(frozen=True, slots=True)
class Means:
    """What a session is made of, besides itself."""

    client: CloudClient
    flow: Flow
    estimate: Estimate
    metrics: SessionMetrics
    opening_s: float
    """For the first connection, and once more for the cloud's welcome."""
    going_on_s: Callable[[], float]
    """The same for another one after a break."""
    clock: Callable[[], float]


async def open_connection(
    means: Means, hello: Hello, first_number: int, patience_s: float
) -> tuple[Connection, EdgeConnection, Welcome]:
    """A connection over which frames may be sent, the first of this number. Raises NoUpgradeError, also if it or the welcome takes longer.

    The welcome shows the estimate the round trip.
    """
    connection = await Connection.open(means.client, patience_s)
    try:
        protocol = EdgeConnection(first_number)
        welcome = await _greet(connection, protocol, hello, means, patience_s)
    except BaseException as error:
        await connection.abort()
        if isinstance(error, TimeoutError):
            raise NoUpgradeError("late", "no welcome came") from None
        if isinstance(error, BrokenOffError):
            text = f"the connection was closed before the welcome: {error}"
            raise NoUpgradeError("closed", text) from None
        if isinstance(error, WireError):
            raise NoUpgradeError("protocol", str(error)) from None
        raise
    return connection, protocol, welcome


async def _greet(
    connection: Connection, protocol: EdgeConnection, hello: Hello, means: Means, patience_s: float
) -> Welcome:
    """Raises TimeoutError, BrokenOffError, WireError."""
    async with asyncio.timeout(patience_s):
        sent_at = means.clock()
        size = await connection.send(protocol.hello(hello))
        message = await connection.receive()
    said = protocol.received(message) if isinstance(message, bytes) else None
    if not isinstance(said, Welcome):
        raise WireError("the cloud does not begin with its welcome")
    means.estimate.probed(sent_at, size)
    return said
