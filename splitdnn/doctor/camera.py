"""One camera: whether it gives pictures, of what size and codec, and how many a second."""

from __future__ import annotations

import time
from pathlib import Path
from typing import TYPE_CHECKING, Any

from edge.sources.live.address import read_address
from edge.sources.live.options import ffmpeg_options
from edge.sources.registry import open_source
from edge.sources.video.opening import open_container, pick_stream
from shared.errors import SourceError, StartupError
from shared.observing.logs import mask_url
from shared.process.settings import opencv_capture_options
from splitdnn.doctor.finding import Finding, State

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

    from edge.cameras.settings import CameraSettings

_FEWER = 0.8
"""The share of the frames that a stream announces below which some are missing."""


class Seen:
    """What came of a source within some seconds."""

    def __init__(self) -> None:
        self.picture: NDArray[Any] | None = None
        """The latest, (H, W, 3) uint8 BGR; None if none came."""
        self.finding = Finding("camera", State.UNKNOWN, "not looked at")


def look_at_camera(
    camera: CameraSettings,
    seconds: float,
    *,
    several: bool = False,
    clock: Callable[[], float] = time.monotonic,
) -> Seen:
    """Read the camera for so long. `several`: whether the finding says which camera it is."""
    seen = Seen()
    about = f"camera {camera.name}" if several else "camera"
    name = mask_url(camera.source)
    try:
        codec, announced = _announced(camera)
        _watch(camera, seconds, seen, clock, (about, name, codec, announced))
    except StartupError as error:
        seen.finding = Finding(about, State.WRONG, " ".join(str(error).split()))
    return seen


def _watch(
    camera: CameraSettings,
    seconds: float,
    seen: Seen,
    clock: Callable[[], float],
    known: tuple[str, str, str, float | None],
) -> None:
    about, name, codec, announced = known
    undecodable, damaged, frames = 0, 0, 0

    def count() -> None:
        nonlocal undecodable
        undecodable += 1

    source = open_source(
        camera.source,
        open_timeout_s=camera.open_timeout_s,
        read_timeout_s=camera.read_timeout_s,
        snapshot_fps=camera.snapshot_fps,
        on_undecodable=count,
    )
    try:
        source.open()
        first_s = last_s = clock()
        while frames == 0 or last_s - first_s < seconds:
            shot = source.read()
            if shot is None:
                break
            last_s = clock()
            first_s = last_s if frames == 0 else first_s
            frames += 1
            damaged += shot.damaged
            seen.picture = shot.picture
    finally:
        source.close()
    if seen.picture is None:
        raise SourceError(f"{name}: it has no picture")
    height, width = seen.picture.shape[:2]
    rate = (frames - 1) / (last_s - first_s) if last_s > first_s else None
    text = f"{name}: {codec}{width}x{height}"
    if source.live:
        text += f", {rate:.1f} frames/s" if rate else ", one picture"
        text += f" (announced: {announced:.4g})" if announced else ""
    else:
        text += f", a recording{f' of {announced:.4g} frames/s' if announced else ''}"
        text += f", read at {rate:.0f} frames/s" if rate else ""
    state, todo = State.GOOD, ""
    if undecodable or damaged:
        text += f"; {undecodable} undecodable and {damaged} damaged of {frames}"
        state, todo = State.DOUBTFUL, "look at the camera's network: packets are lost; TCP loses none"
    elif source.live and rate and announced and rate < _FEWER * announced:
        state, todo = (
            State.DOUBTFUL,
            "fewer come than are announced: poor light may lengthen the exposure, or this machine decodes too slowly",
        )
    seen.finding = Finding(about, state, text, todo)


def _announced(camera: CameraSettings) -> tuple[str, float | None]:
    """Codec and frames a second by the container; nothing for what FFmpeg does not read. Raises SourceError."""
    source = camera.source
    if "://" in source:
        address = read_address(source)
        if address.scheme in ("http", "https"):
            return "", None  # pictures, or a stream whose reader finds out by itself
        target, options = address.url, ffmpeg_options(address.scheme, opencv_capture_options())
    elif Path(source).is_file():
        target, options = str(Path(source).absolute()), {}
    else:
        return "", None
    try:
        container = open_container(
            target, mask_url(source), options, (camera.open_timeout_s, camera.read_timeout_s)
        )
    except SourceError:
        return "", None  # a picture, or what the source itself explains better
    with container:
        stream = pick_stream(container, mask_url(source))
        rate = stream.average_rate
        return f"{stream.codec_context.name} ", float(rate) if rate else None
