"""`python -m cloud`: wires settings, service and server together."""

from __future__ import annotations

from shared.process.exit import leave_on_interrupt, run_process

if __name__ == "__main__":
    leave_on_interrupt()  # the other imports take a while

import asyncio
import contextlib
import logging
import signal
from typing import TYPE_CHECKING

from cloud.config import CloudSettings
from shared.errors import SplitDNNError
from shared.observing import event_loop
from shared.observing.logs import configure_logs
from shared.process.memory import keep_large_apart
from shared.process.settings import make_parser, parse_flags, print_error, read_settings
from shared.process.threads import limit_threads

if TYPE_CHECKING:
    from collections.abc import Sequence

_log = logging.getLogger("cloud")


def main(arguments: Sequence[str] | None = None) -> int:
    """Run until SIGTERM or SIGINT. Exit status 0; 2 if it cannot start."""
    parser = make_parser(
        "python -m cloud", "Answer frames: run the tail of a network behind any split point.", CloudSettings
    )
    try:
        given = parse_flags(parser, arguments)
        show = given.pop("print_config")
        settings = read_settings(CloudSettings, given)
        if show:
            print(settings.printable())
            return 0
        configure_logs(settings.log_level, settings.log_format)
        return event_loop.run(_serve(settings))
    except SplitDNNError as error:
        print_error(error)
        return 2
    except KeyboardInterrupt:
        return 130


async def _serve(settings: CloudSettings) -> int:
    # First of all: imports take a second, and process 1 of a container ignores signals that it does not handle.
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    keep_large_apart()
    threads = limit_threads(settings.threads)
    # Only now: numpy reads the thread settings when it is imported, and torch if it is the engine.
    from cloud.http.app import bind, make_server  # noqa: PLC0415
    from cloud.http.tls import tls_of  # noqa: PLC0415
    from cloud.service import Service  # noqa: PLC0415
    from cloud.threads import ThreadPools  # noqa: PLC0415

    service = Service(settings, ThreadPools(threads, settings.tail_workers))
    tls = tls_of(settings, service.metrics)
    server = make_server(service, tls)
    sockets = bind(settings.address, settings.port)
    server.add_sockets(sockets)  # /healthz answers while the model loads
    scheme, port = "https" if tls else "http", sockets[0].getsockname()[1]
    _log.info("listening on %s://%s:%d", scheme, settings.address, port)
    renewing = asyncio.create_task(tls.watch()) if tls else None
    starting = asyncio.create_task(service.start())
    stopping = asyncio.create_task(stop.wait())
    await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
    try:
        if starting.done():
            await starting
            with event_loop.undisturbed(service.metrics):
                await stopping
            _log.info("stopping: finishing %d frames", service.lifecycle.frames)
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


if __name__ == "__main__":
    run_process(main)
