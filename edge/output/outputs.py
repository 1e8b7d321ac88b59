"""Where a run's records and messages go."""

from __future__ import annotations

import asyncio
import contextlib
import errno
import logging
import os
import stat
import sys
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TextIO

from edge.output.events.opening import Events, open_events
from edge.output.printer import ProgressPrinter, print_frame
from edge.output.record_writer import RecordWriter
from edge.output.summary import Summary
from edge.uplink.clouds.addresses import name_of
from shared.errors import SettingsError
from shared.observing.json_lines import CAMERA, STDOUT, JsonLines, file_path
from shared.observing.line_file import set_aside
from shared.observing.rotation import Rotation

if TYPE_CHECKING:
    from collections.abc import AsyncIterator, Callable, Iterable, Mapping
    from pathlib import Path

    from edge.config import EdgeSettings
    from edge.metrics import EdgeMetrics
    from edge.output.results import Record

_log = logging.getLogger(__name__)

_PERIOD_S = 0.1
"""Between two looks whether a pipe has a reader."""


@dataclass(frozen=True)
class Outputs:
    """What takes the records of one run, of all its cameras."""

    people: TextIO
    """stderr if the records go to stdout."""
    summary: Summary
    progress: ProgressPrinter | None
    records: RecordWriter | None
    events: Events | None
    sinks: list[Callable[[Record], None]]

    def close(self) -> None:
        """Write the records and events that wait, and close their files. Raises BrokenPipeError if nobody reads records any more."""
        if self.events:
            self.events.close()
        if self.records:
            self.records.close()


def open_outputs(settings: EdgeSettings, metrics: EdgeMetrics, cameras: Mapping[str, bool]) -> Outputs:
    """`cameras` says of each camera, by its name, whether it is live: such records cannot be made again, so a file of theirs is
    added to; one of recordings only is emptied.

    To be called before anything else can fail, or the file would hold the records of an earlier run. Raises SettingsError.
    """
    people = sys.stderr if settings.results == STDOUT else sys.stdout
    several = len(cameras) > 1
    summary = Summary(cameras, map(name_of, settings.cloud_urls))
    progress = ProgressPrinter(people, several=several) if settings.show == "changes" else None
    printer = partial(print_frame, out=people, several=several) if settings.show == "frames" else progress
    records = _open_records(settings, settings.results, metrics, cameras) if settings.results else None
    try:
        events = open_events(settings, metrics, cameras)
    except SettingsError:
        if records:
            records.close()
        raise
    sinks: list[Callable[[Record], None]] = [
        summary,
        *([printer] if printer else []),
        *([records] if records else []),
        *([events.noticing] if events else []),
    ]
    return Outputs(people, summary, progress, records, events, sinks)


@contextlib.asynccontextmanager
async def with_readers(settings: EdgeSettings, cameras: Mapping[str, bool]) -> AsyncIterator[None]:
    """Wait until a reader has opened each pipe that takes the records of recordings, as opening it would, but deaf to signals.

    `open_outputs`, which takes the same arguments, is to be called inside.
    """
    with contextlib.ExitStack() as ends:
        if settings.results and settings.results != STDOUT and not any(cameras.values()):
            for path in {file_path(settings.results, name) for name in cameras}:
                with contextlib.suppress(OSError):  # whoever opens it says what is wrong
                    if stat.S_ISFIFO(path.stat().st_mode):
                        ends.callback(os.close, await _joined(path))
        yield


async def _joined(pipe: Path) -> int:
    """The pipe, opened for writing. Raises OSError."""
    said = False
    while True:
        try:
            return os.open(pipe, os.O_WRONLY | os.O_NONBLOCK)
        except OSError as error:
            if error.errno != errno.ENXIO:
                raise
        if not said:
            _log.info("results %s: waiting for somebody to read this pipe", pipe)
        said = True
        await asyncio.sleep(_PERIOD_S)


def no_run(settings: EdgeSettings, cameras: Iterable[str]) -> None:
    """The run ends before it is known whether a source is live. What its file holds is of an earlier run: it gets another name."""
    if settings.results and settings.results != STDOUT:
        for path in {file_path(settings.results, name) for name in cameras}:
            set_aside(path, "results")


def _open_records(
    settings: EdgeSettings, path: str, metrics: EdgeMetrics, cameras: Mapping[str, bool]
) -> RecordWriter:
    live = any(cameras.values())
    rotation = Rotation(settings.results_max_bytes, settings.results_max_age_s, settings.results_keep)

    def file_for(name: str | None, *, append: bool) -> JsonLines:
        return JsonLines(
            path,
            camera=name,
            append=append,
            errors=metrics.result_errors,
            what="results",
            lines="records",
            wait=not live,
            rotation=rotation,
            metrics=metrics.results,
        )

    if CAMERA in path:
        files = {name: file_for(name, append=is_live) for name, is_live in cameras.items()}
    else:
        files = dict.fromkeys(cameras, file_for(None, append=live))
    return RecordWriter(files, metrics.result_errors, wait=not live)
