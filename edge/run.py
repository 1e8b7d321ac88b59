"""One run of the edge, from its settings to its summary. Import it after the threads are limited: it brings OpenCV."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import secrets
import signal
import sys
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any, TextIO

import cv2

from edge.frames.pipeline import Pipeline
from edge.network.opening import open_origin
from edge.network.switch import Switch
from edge.network.watch import watch
from edge.output.printer import ProgressPrinter, print_frame
from edge.output.status import serve_status
from edge.output.summary import Summary
from edge.sources.reconnect import Reconnecting
from edge.sources.registry import open_source
from edge.uplink.line import Line
from shared.errors import ResultsError
from shared.observing import event_loop
from shared.observing.json_lines import STDOUT, JsonLines

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.config import EdgeSettings
    from edge.metrics import EdgeMetrics
    from edge.network.early_load import EarlyLoad
    from edge.network.origins import Origin

_log = logging.getLogger("edge")


@dataclass(frozen=True)
class _Outputs:
    """Where records and messages go."""

    people: TextIO
    """stderr if the records go to stdout."""
    summary: Summary
    progress: ProgressPrinter | None
    file: JsonLines | None
    sinks: list[Callable[[Any], None]]
    """Each takes a record."""


@dataclass(frozen=True)
class _Run:
    """Everything that a run has opened, ready for the first frame."""

    metrics: EdgeMetrics
    outputs: _Outputs
    pipeline: Pipeline
    switch: Switch
    origin: Origin
    live: Reconnecting | None

    def stop(self) -> None:
        """Read no more frames."""
        self.pipeline.stop()
        if self.live:
            self.live.stop()


async def run(settings: EdgeSettings, threads: int, early: EarlyLoad) -> int:
    """Play the source to its end, or until SIGTERM or SIGINT. Exit status 0; raises StartupError.

    `early` has begun to load the network of these settings.
    """
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with (
        contextlib.AsyncExitStack() as ends
    ):  # whatever has been opened is closed, however far the start got
        opening = asyncio.create_task(_open(settings, threads, early, ends))
        stopping = asyncio.create_task(stop.wait())
        ends.callback(stopping.cancel)
        await asyncio.wait({opening, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not opening.done():
            opening.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await opening
            _log.info("stopped before the first frame")
            return 0
        this = await opening
        with event_loop.undisturbed(this.metrics):
            await _play(this, stop)
        if settings.at_end == "stay" and not stop.is_set():
            _log.info("the source has ended; staying for the metrics to be read (SIGTERM ends it)")
            await stop.wait()
    file = this.outputs.file
    if file and file.lost:
        raise ResultsError(f"{file.lost} records could not be written to {settings.results}")
    return 0


async def _open(
    settings: EdgeSettings, threads: int, early: EarlyLoad, ends: contextlib.AsyncExitStack
) -> _Run:
    """Open everything; what a user can mistype comes before what takes long, or is found while the network is read.

    In this order: a file's source, the status server, the records; the line to the cloud, the network from wherever it comes, its
    plans, the cloud's greeting; and last a live source, whose frames do not wait. It connects when it is read, as it may be absent.
    """
    cv2.setNumThreads(threads)
    metrics = early.metrics
    metrics.unseen.add(settings.name)
    source = open_source(
        settings.source,
        open_timeout_s=settings.open_timeout_s,
        read_timeout_s=settings.read_timeout_s,
        snapshot_fps=settings.snapshot_fps,
        on_undecodable=metrics.undecodable.inc,
    )
    live = None
    if source.live:  # opened last
        source = live = Reconnecting(source, up=metrics.source_up, reconnects=metrics.source_reconnects)
    ends.callback(source.close)
    if not live:
        source.open()
    server, status_port = serve_status(
        metrics.registry, lambda: metrics.state, metrics.unseen, settings.status_address, settings.status_port
    )
    ends.callback(server.stop)
    outputs = _open_outputs(settings, metrics, ends, append=source.live)
    line = Line(settings.cloud_url, metrics, in_flight=settings.in_flight, deadline_s=settings.deadline_s)
    await ends.enter_async_context(line)
    origin, model = await open_origin(settings, line, metrics, ends)
    switch = Switch(settings, threads, metrics, line, early.slow, live=source.live)
    ends.push_async_callback(switch.close)
    early.proceed()
    loaded = await switch.open(model, early.loaded)
    if live:
        live.open()
    else:
        metrics.source_up.set(1)
    plans = loaded.describe_plans()
    _log.info("%s -> %s -> %s; metrics on port %d", source.name, plans, settings.cloud_url, status_port)
    if settings.picture_size == "source" and not loaded.sends_pictures:
        _log.warning(
            "picture_size=source changes nothing: it needs --split-point input and jpeg, webp, png or raw"
        )
    session = secrets.randbits(32)
    pipeline = Pipeline(settings, switch.editions, line.circuit, source, outputs.sinks, metrics, session)
    return _Run(metrics, outputs, pipeline, switch, origin, live)


async def _play(this: _Run, stop: asyncio.Event) -> None:
    async def stop_on_signal() -> None:
        await stop.wait()
        _log.info("stopping: answering the frames already read")
        this.stop()

    metrics, outputs = this.metrics, this.outputs
    metrics.running.set(1)
    metrics.state = "running"
    start = time.monotonic()
    beside = [
        asyncio.create_task(stop_on_signal()),
        asyncio.create_task(watch(this.origin, this.switch, metrics)),
    ]
    try:
        await this.pipeline.run()
    finally:
        seconds = time.monotonic() - start
        for task in beside:
            task.cancel()
        await asyncio.gather(*beside, return_exceptions=True)
        metrics.source_up.set(0)
        metrics.running.set(0)
        metrics.state = "finished"
        if outputs.progress:
            outputs.progress.close()
        print(f"\n{outputs.summary.text(this.pipeline.dropped, seconds)}", file=outputs.people, flush=True)


def _open_outputs(
    settings: EdgeSettings, metrics: EdgeMetrics, ends: contextlib.AsyncExitStack, *, append: bool
) -> _Outputs:
    people = sys.stderr if settings.results == STDOUT else sys.stdout
    summary, file = Summary(), None
    progress = ProgressPrinter(people) if settings.show == "changes" else None
    printer = partial(print_frame, out=people) if settings.show == "frames" else progress
    sinks: list[Callable[[Any], None]] = [summary, *([printer] if printer else [])]
    if settings.results:
        # A file's records are made again by reading it again, a camera's are not.
        file = JsonLines(
            settings.results,
            append=append,
            errors=metrics.result_errors,
            what="results",
            lines="records",
            wait=True,
        )
        ends.callback(file.close)
        write = file.write
        sinks.append(lambda record: write(record.fields()))
    return _Outputs(people, summary, progress, file, sinks)
