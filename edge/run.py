"""One run of the edge, from its settings to its summary. Import it after the threads are limited: it brings torch."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import math
import secrets
import signal
import sys
import time
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, TextIO

import cv2
import torch

from edge.frames.pipeline import Pipeline
from edge.frames.preprocess import Preprocess
from edge.metrics import EdgeMetrics
from edge.output.printer import ProgressPrinter, Summary, print_frame
from edge.output.results import Results
from edge.output.status import serve_status
from edge.planning.choices import make_plans
from edge.planning.pilot import Pilot, Pinned
from edge.planning.planner import Objective
from edge.sources.reconnect import Reconnecting
from edge.sources.registry import open_source
from edge.uplink.agreed_weights import agreed_weights
from edge.uplink.cloud_times import Asking
from edge.uplink.uplink import Uplink
from shared.codecs.calibrated.codec import Calibrated
from shared.errors import ResultsError
from shared.load import load_network
from shared.network.weights import AUTO_SECONDS, NAMED_SECONDS
from shared.observing import event_loop
from shared.observing.json_lines import STDOUT, JsonLines
from shared.process.memory import give_back

if TYPE_CHECKING:
    from collections.abc import Callable

    from edge.config import EdgeSettings
    from edge.output.results import Record
    from edge.planning.pilot import Pilots
    from edge.planning.plan import Plan
    from edge.sources.base import Source
    from shared.network.model import ModelInfo

_log = logging.getLogger("edge")


@dataclass(frozen=True)
class _Run:
    """What was started, ready for its first frame."""

    pipeline: Pipeline
    stop: Callable[[], None]
    metrics: EdgeMetrics
    summary: Summary
    progress: ProgressPrinter | None
    file: JsonLines | None
    people: TextIO


async def run(settings: EdgeSettings, threads: int) -> int:
    """Play the source to its end, or until SIGTERM or SIGINT. Exit status 0; raises StartupError."""
    stop = asyncio.Event()
    for number in (signal.SIGTERM, signal.SIGINT):
        asyncio.get_running_loop().add_signal_handler(number, stop.set)
    async with contextlib.AsyncExitStack() as ends:  # what was opened is closed, however far the start came
        starting = asyncio.create_task(_start(settings, threads, ends))
        stopping = asyncio.create_task(stop.wait())
        ends.callback(stopping.cancel)
        await asyncio.wait({starting, stopping}, return_when=asyncio.FIRST_COMPLETED)
        if not starting.done():
            starting.cancel()
            with contextlib.suppress(asyncio.CancelledError):
                await starting
            _log.info("stopped before the first frame")
            return 0
        this = await starting
        with event_loop.undisturbed(this.metrics):
            await _play(this, stop)
        if settings.at_end == "stay" and not stop.is_set():
            _log.info("the source has ended; staying for the metrics to be read (SIGTERM ends it)")
            await stop.wait()
    if this.file and this.file.lost:
        raise ResultsError(f"{this.file.lost} records could not be written to {settings.results}")
    return 0


async def _start(settings: EdgeSettings, threads: int, ends: contextlib.AsyncExitStack) -> _Run:
    """Open everything; what a user can mistype comes before what takes long."""
    cv2.setNumThreads(threads)
    metrics = EdgeMetrics()
    source, live = _open_source(settings, metrics, ends)
    server, status_port = serve_status(
        metrics.registry, lambda: metrics.state, settings.status_address, settings.status_port
    )
    ends.callback(server.stop)
    summary = Summary()
    # Where records go to stdout, people read on stderr.
    people = sys.stderr if settings.results == STDOUT else sys.stdout
    progress = ProgressPrinter(people) if settings.show == "changes" else None
    printer = partial(print_frame, out=people) if settings.show == "frames" else progress
    sinks: list[Callable[[Record], None]] = [summary, *([printer] if printer else [])]
    file = None
    if settings.results:
        # A file's records are made again by reading it again, a camera's are not.
        file = JsonLines(
            settings.results,
            append=source.live,
            errors=metrics.result_errors,
            what="results",
            lines="records",
            wait=True,
        )
        ends.callback(file.close)
        write = file.write
        sinks.append(lambda record: write(record.fields()))

    # On a thread, as all that takes long: /healthz answers meanwhile. A thread that is given up does not hold the end.
    slow = ThreadPoolExecutor(1, thread_name_prefix="start")
    ends.callback(slow.shutdown, wait=False)
    loop = asyncio.get_running_loop()
    model, plans = await loop.run_in_executor(slow, _load, settings, threads, metrics)
    uplink = Uplink(
        settings.cloud_url,
        model,
        metrics,
        in_flight=settings.in_flight,
        deadline_s=settings.deadline_s,
        profiles=[plan.profile for plan in plans if plan.profile],
        wait_for_profiles=len(plans) == 1,
    )
    await ends.enter_async_context(uplink)
    pilot = _pilot(settings, plans, uplink, metrics, ends, live=source.live)
    if any(plan.codec for plan in plans):
        await uplink.check()
    if live:
        await loop.run_in_executor(slow, live.open)
    else:
        metrics.source_up.set(1)
    _log.info(
        "%s -> %s -> %s; metrics on port %d",
        source.name,
        f"{plans[0].split_point.name} {plans[0].label}" if len(plans) == 1 else f"one of {len(plans)} plans",
        settings.cloud_url,
        status_port,
    )
    source_size = settings.picture_size == "source"
    if source_size and not (len(plans) == 1 and plans[0].codec and plans[0].codec.carries == "picture"):
        _log.warning(
            "picture_size=source changes nothing: it needs --split-point input and jpeg, webp, png or raw"
        )
        source_size = False
    preprocess = Preprocess(model.recipe, grayscale=settings.grayscale, source_size=source_size)
    session = secrets.randbits(32)
    pipeline = Pipeline(settings, model, pilot, preprocess, source, uplink, Results(sinks), metrics, session)

    def stop() -> None:
        pipeline.stop()
        if live:
            live.stop()

    return _Run(pipeline, stop, metrics, summary, progress, file, people)


async def _play(this: _Run, stop: asyncio.Event) -> None:
    async def stop_on_signal() -> None:
        await stop.wait()
        _log.info("stopping: answering the frames already read")
        this.stop()

    metrics = this.metrics
    metrics.running.set(1)
    metrics.state = "running"
    start = time.monotonic()
    stopping = asyncio.create_task(stop_on_signal())
    try:
        await this.pipeline.run()
    finally:
        seconds = time.monotonic() - start
        stopping.cancel()
        metrics.source_up.set(0)
        metrics.running.set(0)
        metrics.state = "finished"
        if this.progress:
            this.progress.close()
        print(f"\n{this.summary.text(this.pipeline.dropped, seconds)}", file=this.people, flush=True)


def _open_source(
    settings: EdgeSettings, metrics: EdgeMetrics, ends: contextlib.AsyncExitStack
) -> tuple[Source, Reconnecting | None]:
    """The source, and the same again if it is a live one. Files are opened here: a wrong path is said at once."""
    source = open_source(
        settings.source, open_timeout_s=settings.open_timeout_s, read_timeout_s=settings.read_timeout_s
    )
    if source.live:
        live = Reconnecting(source, up=metrics.source_up, reconnects=metrics.source_reconnects)
        ends.callback(live.close)
        return live, live
    ends.callback(source.close)
    source.open()
    return source, None


def _load(settings: EdgeSettings, threads: int, metrics: EdgeMetrics) -> tuple[ModelInfo, list[Plan]]:
    """The model, and the one plan that was chosen, or all that the planner has."""
    weights, seed = agreed_weights(settings)
    # Who left the choice open does not wait long for what the cloud chose.
    patience_s = AUTO_SECONDS if settings.weights == "auto" else NAMED_SECONDS
    network = load_network(
        settings, metrics, "head", weights=weights, seed=seed, patience_s=patience_s, threads=threads
    )
    plans = make_plans(settings, network)
    if settings.profile and not any(plan.profile for plan in plans):
        _log.warning("--profile changes nothing: only --codec %s uses one", Calibrated.name)
    info = network.model.info()
    if network.engine.name != "torch":
        torch.set_num_threads(
            1
        )  # it only resizes pictures now; waking a second thread for that costs more than it saves
    # An engine with parameters of its own in its halves needs the network's no more.
    del network
    give_back()
    return info, plans


def _pilot(
    settings: EdgeSettings,
    plans: list[Plan],
    uplink: Uplink,
    metrics: EdgeMetrics,
    ends: contextlib.AsyncExitStack,
    *,
    live: bool,
) -> Pilots:
    options = {plan.option: plan for plan in plans if plan.option}
    if not options:
        return Pinned(plans[0], metrics)
    objective = Objective(settings.objective, settings.min_agreement, settings.max_latency or math.inf)
    pilot = Pilot(
        options, objective, uplink.link, uplink.circuit, metrics,
        in_flight=settings.in_flight, deadline_s=settings.deadline_s, explore_s=settings.explore_s, live=live,
        can_decode=uplink.can_decode,
    )  # fmt: skip
    asking = Asking(uplink.cloud_times, pilot.cloud_times)
    ends.push_async_callback(asking.close)
    uplink.on_greeting = asking.again
    return pilot
