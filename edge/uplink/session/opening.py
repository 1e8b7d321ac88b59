"""One connection of a session, from the first byte to the cloud's welcome."""

from __future__ import annotations

import asyncio
from typing import TYPE_CHECKING

from edge.uplink.session.connection import BrokenOffError, Connection, NoUpgradeError
from shared.errors import WireError
from shared.wire.session.edge import EdgeConnection
from shared.wire.session.messages import Welcome

if TYPE_CHECKING:
    from edge.uplink.client import CloudClient
    from edge.uplink.session.carrying.estimate import Estimate
    from shared.wire.session.messages import Hello


async def open_connection(
    client: CloudClient, hello: Hello, first_number: int, estimate: Estimate, *, patience_s: float
) -> tuple[Connection, EdgeConnection, Welcome]:
    """A connection over which frames may be sent, the first of this number. Raises NoUpgradeError.

    `patience_s`: for the connection, and once more for the welcome, which shows `estimate` the round trip.
    """
    connection = await Connection.open(client, patience_s)
    try:
        protocol = EdgeConnection(first_number)
        welcome = await _greet(connection, protocol, hello, estimate, patience_s)
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
    connection: Connection, protocol: EdgeConnection, hello: Hello, estimate: Estimate, patience_s: float
) -> Welcome:
    """Raises TimeoutError, BrokenOffError, WireError."""
    async with asyncio.timeout(patience_s):
        sent_at = estimate.now()
        size = await connection.send(protocol.hello(hello))
        message = await connection.receive()
    said = protocol.received(message) if isinstance(message, bytes) else None
    if not isinstance(said, Welcome):
        raise WireError("the cloud does not begin with its welcome")
    estimate.probed(sent_at, size)
    return said
