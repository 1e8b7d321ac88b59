"""The order in which everything is looked at. Import it after the threads are limited: it brings OpenCV."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import cv2

from edge.metrics import EdgeMetrics
from edge.network.opening import open_origin
from edge.uplink.line import Line, context_of, trust_of
from shared.errors import SplitDNNError
from shared.network.choice import CLOUD
from shared.security.tokens.bearer import Bearer
from shared.tasks.registry import make_task
from shared.tasks.spec import Wanted
from splitdnn.doctor.camera import look_at_camera
from splitdnn.doctor.cloud import look_at_certificates, look_at_cloud, look_at_round_trip
from splitdnn.doctor.finding import Finding, State
from splitdnn.doctor.link import look_at_link
from splitdnn.doctor.machine import look_at_disks, look_at_machine
from splitdnn.doctor.network import Looked, look_at_network

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence

    from numpy.typing import NDArray

    from edge.cameras.settings import CameraSettings
    from edge.config import EdgeSettings


async def visit(
    settings: EdgeSettings,
    cameras: Sequence[CameraSettings],
    threads: int,
    seconds: float,
    show: Callable[[Finding], None],
) -> None:
    """Machine, disk, network, cameras, cloud, link; `show` is given each finding as it is made.

    `seconds`: how long each camera is watched. Nothing that is wrong ends the visit: what depends on it is said to be unknown.
    """
    cv2.setNumThreads(threads)
    show(look_at_machine(threads))
    show(look_at_disks(settings))
    metrics = EdgeMetrics([camera.name for camera in cameras])
    async with contextlib.AsyncExitStack() as ends:
        try:
            lines = [await ends.enter_async_context(each) for each in _lines(settings, metrics)]
        except SplitDNNError as error:  # a token or a certificate that cannot be read
            show(Finding("cloud", State.WRONG, str(error)))
            lines = []
        looked = await _network(settings, cameras, threads, metrics, lines[0] if lines else None, ends)
        for finding in looked.findings:
            show(finding)
        pictures = await _cameras(cameras, seconds, show)
        for line in lines:  # each of several clouds
            await _cloud(settings, line, looked, pictures, metrics, show)


def _lines(settings: EdgeSettings, metrics: EdgeMetrics) -> list[Line]:
    bearer, tls = Bearer.of_file(settings.cloud_token_file), trust_of(settings, metrics)
    return [
        Line(
            url,
            metrics,
            in_flight=1,
            deadline_s=settings.deadline_s,
            bearer=bearer,
            tls=tls if url.startswith("https:") else None,
            proxy=settings.proxy,
        )
        for url in settings.cloud_urls
    ]


async def _network(
    settings: EdgeSettings,
    cameras: Sequence[CameraSettings],
    threads: int,
    metrics: EdgeMetrics,
    line: Line | None,
    ends: contextlib.AsyncExitStack,
) -> Looked:
    if settings.model == CLOUD:
        try:
            if line is None:
                raise SplitDNNError("it is the cloud's, which cannot be asked")  # noqa: TRY301
            _, model = await open_origin(settings, line, metrics, ends, patience_s=settings.deadline_s)
        except SplitDNNError as error:
            return Looked([Finding("network", State.UNKNOWN, " ".join(str(error).split()))])
        settings = settings.model_copy(update={"model": model})
    return await asyncio.to_thread(look_at_network, settings, cameras, threads, metrics)


async def _cameras(
    cameras: Sequence[CameraSettings], seconds: float, show: Callable[[Finding], None]
) -> list[NDArray[Any]]:
    """Watch them one after another, so that each has the machine to itself; the pictures that came."""
    pictures = []
    for camera in cameras:
        seen = await asyncio.to_thread(look_at_camera, camera, seconds, several=len(cameras) > 1)
        show(seen.finding)
        if seen.picture is not None:
            pictures.append(seen.picture)
    return pictures


async def _cloud(
    settings: EdgeSettings,
    line: Line,
    looked: Looked,
    pictures: Sequence[NDArray[Any]],
    metrics: EdgeMetrics,
    show: Callable[[Finding], None],
) -> None:
    loaded, plan = looked.loaded, looked.plan
    task = make_task(loaded.model, Wanted(settings.top, settings.threshold)) if loaded else None
    found, said = await look_at_cloud(line, loaded.model if loaded else None, task)
    for finding in found:
        show(finding)
    if said is None:
        show(Finding("link", State.UNKNOWN, "there is no cloud to send frames to"))
        return
    context = context_of(settings) if line.client.url.startswith("https:") else None
    for finding in await look_at_round_trip(settings, line.client.url, context):
        show(finding)
    for finding in await look_at_certificates(settings, line.client.url, context):
        show(finding)
    if loaded is None or plan is None:
        show(Finding("link", State.UNKNOWN, "there is no network to make frames with"))
        return
    for finding in await look_at_link(
        settings, line, loaded, plan, pictures[0] if pictures else None, metrics
    ):
        show(finding)
