"""`python -m edge`: reads the settings, then runs or calibrates."""

from __future__ import annotations

from shared.process.exit import leave_on_interrupt, run_process

if __name__ == "__main__":
    leave_on_interrupt()  # the other imports take a while

import asyncio
import errno
import os
import sys
from typing import TYPE_CHECKING, Any, Generic, NamedTuple, TypeVar

from edge.cameras.file import read_cameras
from edge.config import CalibrationSettings, EdgeSettings
from edge.uplink.clouds.addresses import Joined
from shared.errors import ResultsError, SettingsError, SplitDNNError
from shared.network.choice import CLOUD
from shared.observing import event_loop
from shared.observing.logs import configure_logs
from shared.process.memory import few_heaps
from shared.process.settings import CommonSettings, make_parser, parse_flags, print_error, read_settings
from shared.process.threads import limit_threads

if TYPE_CHECKING:
    from collections.abc import Sequence

_Settings = TypeVar("_Settings", bound=CommonSettings)


def main(arguments: Sequence[str] | None = None) -> int:
    """Run a source to its end. Exit status 0; 1 if records are missing; 2 if it cannot start or its source breaks down."""
    arguments = sys.argv[1:] if arguments is None else arguments
    calibrating = arguments[:1] == ["calibrate"]
    try:
        return _calibrate(arguments[1:]) if calibrating else _run(arguments)
    except SplitDNNError as error:
        print_error(error)
        return 1 if isinstance(error, ResultsError) else 2
    except BrokenPipeError:  # the reader of our output has closed it
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except OSError as error:
        if error.errno != errno.ENOSPC:
            raise
        print_error(SplitDNNError(f"cannot write to standard output: {error.strerror}"))
        os.dup2(os.open(os.devnull, os.O_WRONLY), sys.stdout.fileno())
        return 1
    except KeyboardInterrupt:
        return 130


def _run(arguments: Sequence[str]) -> int:
    parser = make_parser(
        "python -m edge",
        "Read video, run the head of a network, send what crosses, print classes. `python -m edge calibrate --help` says how "
        "to make frames smaller.",
        EdgeSettings,
        cloud_url=Joined,
        events=Joined,
    )
    parser.add_argument(
        "--list-split-points", action="store_true", help="show where the model can be cut and exit"
    )
    given = parse_flags(parser, arguments)
    show_points = given.pop("list_split_points")
    started = _start(EdgeSettings, given)
    if started is None:
        return 0
    cameras = read_cameras(started.settings)
    few_heaps()
    # Imports only now: OpenCV and the engines read the thread settings when they are imported.
    if show_points:
        from edge.network.listing import list_split_points  # noqa: PLC0415

        print(asyncio.run(list_split_points(started.settings)))
        return 0
    from edge.network.early_load import EarlyLoad  # noqa: PLC0415

    with EarlyLoad(started.settings, cameras, started.threads) as early:
        from edge.run import run  # noqa: PLC0415 - takes as long as reading the network, and is done meanwhile

        return event_loop.run(run(started.settings, started.threads, early))


def _calibrate(arguments: Sequence[str]) -> int:
    parser = make_parser(
        "python -m edge calibrate",
        "Fit the codec `calibrated` to footage of your own, and measure bytes against agreement.",
        CalibrationSettings,
    )
    started = _start(CalibrationSettings, parse_flags(parser, arguments))
    if started is None:
        return 0
    if started.settings.model == CLOUD:
        raise SettingsError(
            f"--model {CLOUD}: a profile is calibrated without a cloud; give --model the folder of its bundle, for which an edge with "
            f"--model {CLOUD} has bundle-… in --cache-dir"
        )
    from edge.calibration.command import calibrate  # noqa: PLC0415 - as above

    return calibrate(started.settings, started.threads)


class _Started(NamedTuple, Generic[_Settings]):
    settings: _Settings
    threads: int


def _start(kind: type[_Settings], given: dict[str, Any]) -> _Started[_Settings] | None:
    """Read the settings, then set up logs and threads; None if the settings were only to be shown."""
    show_config = given.pop("print_config")
    settings = read_settings(kind, given)
    if show_config:
        print(settings.printable())
        return None
    configure_logs(settings.log_level, settings.log_format)
    return _Started(settings, limit_threads(settings.threads))


if __name__ == "__main__":
    run_process(main)
