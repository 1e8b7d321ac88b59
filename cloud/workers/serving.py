"""One process that serves: alone, or as one of several workers."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import signal
from typing import TYPE_CHECKING

from cloud.workers.shares import numbered
from shared.observing import event_loop
from shared.process.memory import keep_large_apart
from shared.process.threads import limit_threads

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from cloud.config import CloudSettings
    from cloud.service import Service
    from cloud.workers.siblings import Siblings

_log = logging.getLogger("cloud")


def stop_signals() -> asyncio.Event:
    """What SIGTERM and SIGINT set. First of all: imports take a second, and process 1 of a container ignores signals that it does not
    handle.
    """
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    return stop


async def serve(
    settings: CloudSettings,
    stop: asyncio.Event,
    siblings: Siblings | None = None,
    join: Callable[[Service], Awaitable[None]] | None = None,
) -> int:
    """Serve until `stop`; the exit status. Raises StartupError.

    Alone, it listens from the start, and `/healthz` answers while the network loads. A worker listens once it can take frames: until
    then the kernel gives all connections to the others. `join` is awaited before that.
    """
    keep_large_apart()
    threads = limit_threads(settings.threads)
    # Only now: numpy reads the thread settings when it is imported, and torch if it is the engine.
    from cloud.frames.threads import ThreadPools  # noqa: PLC0415
    from cloud.http.app import make_server  # noqa: PLC0415
    from cloud.http.tls import tls_of  # noqa: PLC0415
    from cloud.service import Service  # noqa: PLC0415
    from cloud.workers.port import bind  # noqa: PLC0415

    service = Service(
        settings if siblings else numbered(settings, 1), ThreadPools(threads, settings.tail_workers), siblings
    )
    tls = tls_of(settings, service.metrics)
    server = make_server(service, tls)

    def listen() -> None:
        sockets = bind(settings.address, settings.port, shared=siblings is not None)
        server.add_sockets(sockets)
        scheme, port = "https" if tls else "http", sockets[0].getsockname()[1]
        _log.info("listening on %s://%s:%d", scheme, settings.address, port)

    if siblings is None:
        listen()
    renewing = asyncio.create_task(tls.watch()) if tls else None
    starting = asyncio.create_task(service.start())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    try:
        if starting.done():
            await starting
            if siblings and join:
                await join(service)
                listen()
                siblings.listens()
            with event_loop.undisturbed(service.metrics):
                await stopping
            _log.info("stopping: finishing %d frames", service.lifecycle.frames)
            until_s = asyncio.get_running_loop().time() + settings.drain_s
            await service.drain()
            await server.let_go(until_s - asyncio.get_running_loop().time())
    finally:
        starting.cancel()
        if renewing:
            renewing.cancel()
        with contextlib.suppress(asyncio.CancelledError, Exception):
            await starting
        await service.stop()
        server.stop()
        await server.close_all_connections()
    return 0
