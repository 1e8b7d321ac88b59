"""`splitdnn doctor`, from the settings of an edge to ten lines."""

from __future__ import annotations

import asyncio
import json
import sys
from typing import TYPE_CHECKING

from edge.cameras.file import read_cameras
from edge.config import EdgeSettings
from edge.uplink.clouds.addresses import Joined
from shared.errors import SplitDNNError
from shared.observing.logs import configure_logs
from shared.process.settings import make_parser, parse_flags, print_error, read_settings
from shared.process.threads import limit_threads
from splitdnn.doctor.finding import Finding, State

if TYPE_CHECKING:
    from collections.abc import Sequence

_ABOUT = (
    "Say what is wrong with this machine, its network, its cameras, its cloud and the link between them, and what to do. Takes the "
    "settings of the edge that is to run here. The exit status is 1 if something is wrong."
)


def main(arguments: Sequence[str]) -> int:
    """Exit status 0; 1 if something is wrong; 2 for settings that cannot be used."""
    parser = make_parser("splitdnn doctor", _ABOUT, EdgeSettings, cloud_url=Joined)
    parser.add_argument("--json", action="store_true", help="print one JSON array instead of lines")
    parser.add_argument(
        "--seconds", type=float, default=3.0, metavar="S", help="how long each camera is watched (default: 3)"
    )
    try:
        given = parse_flags(parser, arguments)
        as_json, seconds, show = given.pop("json"), given.pop("seconds"), given.pop("print_config")
        settings = read_settings(EdgeSettings, given)
        if show:
            print(settings.printable())
            return 0
        configure_logs("error", settings.log_format)  # what is logged at a start is said here, in other words
        threads = limit_threads(settings.threads)
        cameras = read_cameras(settings)
    except SplitDNNError as error:
        print_error(error)
        return 2
    # Imports only now: OpenCV and the engines read the thread settings when they are imported.
    from splitdnn.doctor.visit import visit  # noqa: PLC0415

    found: list[Finding] = []

    def show_one(finding: Finding) -> None:
        found.append(finding)
        if not as_json:
            print(finding.line(), flush=True)

    asyncio.run(visit(settings, cameras, threads, min(max(seconds, 0.1), 60.0), show_one))
    if as_json:
        json.dump([each.record() for each in found], sys.stdout, indent=1)
        print()
    return int(any(each.state is State.WRONG for each in found))
