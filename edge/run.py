"""One run of the edge, from its settings to its summary. Import it after the threads are limited: it brings OpenCV."""

from __future__ import annotations

import asyncio
import contextlib
import logging
import random
import signal
import time
from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING

import cv2

from edge.cameras.camera import Camera
from edge.cameras.metrics import CameraMetrics
from edge.cameras.sources import Sources
from edge.frames.pipeline import Pipeline
from edge.frames.verifying import Verifier
from edge.network.loading import heads_at_once, load
from edge.network.opening import open_origin
from edge.network.switch import Switch
from edge.network.watch import watch
from edge.output.outputs import no_run, open_outputs, with_readers
from edge.output.page.page import Page
from edge.output.status import open_status
from edge.planning.pace import Pace
from edge.uplink.clouds.addresses import name_of
from edge.uplink.clouds.opening import make_line
from shared.errors import ResultsError, StartupError
from shared.observing import event_loop
from shared.security.exposure import in_clear
from shared.security.tokens.bearer import Bearer

if TYPE_CHECKING:
    from collections.abc import Sequence

    from edge.config import EdgeSettings
    from edge.metrics import EdgeMetrics
    from edge.network.early_load import EarlyLoad
    from edge.network.origins import Origin
    from edge.output.outputs import Outputs

_log = logging.getLogger("edge")


@dataclass(frozen=True)
class _Run:
    """Everything that a run has opened, ready for the first frame."""

    cameras: Sequence[Camera]
    metrics: EdgeMetrics
    outputs: Outputs
    pipeline: Pipeline
    switch: Switch
    origin: Origin
    sources: Sources

    def stop(self) -> None:
        """Read no more frames."""
        if self.outputs.events:
            self.outputs.events.stop()
        self.pipeline.stop()
        self.sources.stop()


async def run(settings: EdgeSettings, threads: int, early: EarlyLoad) -> int:
    """Play the cameras' sources to their ends, or until SIGTERM or SIGINT. Exit status 0; raises StartupError.

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
            _log.info(
                "every source has ended; staying for the page and the metrics to be read (SIGTERM ends it)"
            )
            await stop.wait()
    records = this.outputs.records
    if records and records.lost:
        raise ResultsError(f"{records.lost} records could not be written to {settings.results}")
    return 0


async def _open(
    settings: EdgeSettings, threads: int, early: EarlyLoad, ends: contextlib.AsyncExitStack
) -> _Run:
    """Open everything; what a user can mistype comes before what takes long, or is found while the network is read.

    In this order: the records, the recordings, the status server; the line to the cloud, the network from wherever it comes, its
    plans, the cloud's greeting; and last the live sources, whose frames do not wait. They connect when they are read, as they may
    be absent.
    """
    cv2.setNumThreads(threads)
    metrics, cameras = early.metrics, early.cameras
    told = {camera.name: CameraMetrics(metrics, camera.name) for camera in cameras}
    try:
        sources = Sources(cameras, told)
    except StartupError:
        no_run(settings, told)
        raise
    async with with_readers(settings, sources.live):
        outputs = open_outputs(settings, metrics, sources.live)
    ends.callback(outputs.close)
    ends.callback(sources.close)
    sources.open_recordings()
    bearer = Bearer.of_file(settings.cloud_token_file)
    if bearer and (open_to_see := [url for url in settings.cloud_urls if in_clear(url)]):
        _log.warning(
            "the token travels unencrypted to %s; give --cloud-url an https:// address",
            ", ".join(open_to_see),
        )
    most_under_way = settings.in_flight + len(cameras) - 1
    patience_s = max(camera.deadline_s for camera in cameras)
    line = make_line(settings, metrics, in_flight=most_under_way, deadline_s=patience_s, bearer=bearer)
    if outputs.events:
        outputs.events.watching.watch_cameras(told)
        outputs.events.watching.watch_clouds(line.circuit, list(map(name_of, settings.cloud_urls)))
        outputs.events.start()
        ends.push_async_callback(outputs.events.end)
    metrics.wire.limit(settings.max_bytes_per_hour)
    page = Page(told, sources.live, metrics, line.said, pictures=settings.page_pictures)
    status_port = await open_status(settings, metrics, line.said, page, ends)
    await ends.enter_async_context(line)
    origin, model = await open_origin(settings, line, metrics, ends)
    pace = Pace(sources.live)
    load_network = partial(load, bring_float=origin.bring_float)
    switch = Switch(settings, cameras, threads, metrics, line, early.slow, pace=pace, load=load_network)
    ends.push_async_callback(switch.close)
    early.proceed()
    loaded = await switch.open(model, early.loaded)
    sources.open_live()
    names = sources[cameras[0].name].name if len(cameras) == 1 else f"{len(cameras)} cameras"
    _log.info(
        "%s -> %s -> %s; metrics and the page on port %d",
        names,
        loaded.describe_plans(),
        settings.cloud_url,
        status_port,
    )
    if any(each.picture_size == "source" and not loaded.sends_pictures(each.choice) for each in cameras):
        _log.warning(
            "picture_size=source changes nothing: it needs --split-point input and a codec for pictures, such as jpeg or h264"
        )
    sessions = random.SystemRandom().sample(range(1 << 32), len(cameras))
    running = [
        Camera(each, sources[each.name], [*outputs.sinks, page], told[each.name], session)
        for each, session in zip(cameras, sessions, strict=True)
    ]
    page.play(running, switch.editions)
    verifier = Verifier(settings.verify_share, metrics) if settings.verify_share else None
    if (heads := heads_at_once(settings, threads)) > 1:
        _log.info("%d heads run at once, with %d threads in all", heads, threads)
    pipeline = Pipeline(
        running,
        switch.editions,
        line.circuit,
        metrics,
        in_flight=settings.in_flight,
        heads=heads,
        pace=pace,
        verifier=verifier,
        look=page.look,
    )
    return _Run(running, metrics, outputs, pipeline, switch, origin, sources)


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
        for camera in this.cameras:  # even one whose read hangs
            camera.metrics.ended()
        metrics.running.set(0)
        metrics.state = "finished"
        if outputs.progress:
            outputs.progress.close()
        text = outputs.summary.text(
            {camera.name: camera.dropped for camera in this.cameras},
            seconds,
            undecodable={camera.name: camera.metrics.undecodable for camera in this.cameras},
            left_out=sum(camera.left_out for camera in this.cameras),
        )
        print(f"\n{text}", file=outputs.people, flush=True)
