"""`python -m cloud`: wires settings, service and server together."""

from __future__ import annotations

from shared.process.exit import leave_on_interrupt, run_process

if __name__ == "__main__":
    leave_on_interrupt()  # the other imports take a while

import logging
from typing import TYPE_CHECKING

from cloud.config import CloudSettings
from cloud.workers.serving import serve, stop_signals
from cloud.workers.shares import shares
from shared.errors import SplitDNNError
from shared.observing import event_loop
from shared.observing.logs import configure_logs
from shared.process.settings import make_parser, parse_flags, print_error, read_settings

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
        return event_loop.run(_alone(settings) if settings.workers == 1 else _together(settings))
    except SplitDNNError as error:
        print_error(error)
        return 2
    except KeyboardInterrupt:
        return 130


async def _alone(settings: CloudSettings) -> int:
    return await serve(settings, stop_signals())


async def _together(settings: CloudSettings) -> int:
    """The parent: it neither computes nor answers, so it imports nothing that does."""
    from cloud.workers.parent import Parent  # noqa: PLC0415
    from cloud.workers.port import HeldPort  # noqa: PLC0415

    stop = stop_signals()
    divided = shares(settings)
    with HeldPort(settings.address, settings.port) as held:
        _log.info(
            "%d workers with %d threads each share port %d", settings.workers, divided[0].threads, held.port
        )
        return await Parent([each.model_copy(update={"port": held.port}) for each in divided]).run(stop)


if __name__ == "__main__":
    run_process(main)
