"""`python -m cloud.workers.worker DESCRIPTOR`: one of several workers. Its parent tells it its settings over that socket."""

from __future__ import annotations

from shared.process.exit import leave_on_interrupt, run_process

if __name__ == "__main__":
    leave_on_interrupt()  # the other imports take a while

import asyncio
import contextlib
import logging
import socket
import sys
from typing import TYPE_CHECKING, Any

from cloud.config import CloudSettings
from cloud.workers.channel import Channel, GoneError
from cloud.workers.serving import serve, stop_signals
from cloud.workers.siblings import Siblings
from shared.errors import SplitDNNError
from shared.observing import event_loop
from shared.observing.logs import configure_logs
from shared.process.settings import print_error

if TYPE_CHECKING:
    from cloud.service import Service


def main() -> int:
    """Serve until SIGTERM, SIGINT or the end of the parent. Exit status 0; 2 if it cannot start."""
    try:
        return event_loop.run(_run(socket.socket(fileno=int(sys.argv[1]))))
    except SplitDNNError as error:
        print_error(error)
        return 2
    except GoneError:
        return 1  # the parent has ended, and with it whoever would read why


async def _run(end: socket.socket) -> int:
    stop = stop_signals()
    channel = await Channel.over(end)
    told = (await channel.receive()).fields
    settings = CloudSettings(**told["settings"])
    configure_logs(settings.log_level, settings.log_format)
    _label_logs(f"worker {told['number']}: ")
    siblings = Siblings(channel, told["cloud"], tuple(told["alike"]) if told["alike"] else None)
    following: list[asyncio.Task[None]] = []

    async def join(service: Service) -> None:
        from cloud.workers.sharing import Sharing, take_session  # noqa: PLC0415 - numpy: `serve` sets its threads

        following.append(asyncio.create_task(channel.run(Sharing(service).handle)))
        following[0].add_done_callback(lambda _: stop.set())  # without a parent nobody would end this process
        network, engine = service.network, service.network.engine
        known = await siblings.ready(engine.name, engine.precision, network.digest)
        for name, session in known.items():
            take_session(service, name, session)

    try:
        return await serve(settings, stop, siblings, join)
    finally:
        for task in following:
            task.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await task


def _label_logs(label: str) -> None:
    make = logging.getLogRecordFactory()

    def labelled(*arguments: Any, **more: Any) -> logging.LogRecord:
        record = make(*arguments, **more)
        record.msg = f"{label}{record.msg}"
        return record

    logging.setLogRecordFactory(labelled)


if __name__ == "__main__":
    run_process(main)
