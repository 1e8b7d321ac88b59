"""Pictures that move, and what a cloud decodes them with."""

from __future__ import annotations

import asyncio
import contextlib
from typing import TYPE_CHECKING, Any

import numpy as np

from cloud.bodies.video.decoders import VideoDecoders
from cloud.metrics import CloudMetrics
from shared.codecs import NAMES

if TYPE_CHECKING:
    from collections.abc import Awaitable, Callable

    from shared.codecs import Codec
    from shared.codecs.base import Encoded

NONE = bytes(4)
WAIT_S = 60.0


def moving(count: int, height: int = 48, width: int = 64) -> list[np.ndarray]:
    """Pictures (H, W, 3) uint8 RGB of a smooth scene that moves by two pixels a picture."""
    rows, columns = np.mgrid[0:height, 0 : width + 2 * count]
    scene = np.stack(
        [120 + 90 * np.sin(columns / 9), 40 + 4 * (rows % 40), 128 + 100 * np.cos((rows + columns) / 13)],
        axis=-1,
    ).astype(np.uint8)
    return [np.ascontiguousarray(scene[:, 2 * each : 2 * each + width]) for each in range(count)]


def encoded(name: str, pictures: list[np.ndarray]) -> list[Encoded]:
    """A stream's frames."""
    stream = NAMES[name].for_stream()
    return [stream.encode(picture) for picture in pictures]


def is_near(picture: np.ndarray, other: np.ndarray) -> bool:
    """Whether one may be what is left of the other."""
    return picture.shape == other.shape and float(np.abs(picture.astype(int) - other).mean()) < 8


class Payer:
    """As much of an account as decoding needs."""

    def __init__(self, name: str) -> None:
        self.name = name
        self.spent: list[float] = []

    def spend(self, seconds: float, *, settled: bool = False) -> None:
        self.spent.append(seconds)


class Room:
    """Decoders of a cloud of its own."""

    def __init__(self, most: int = 4, **options: Any) -> None:
        self.metrics = CloudMetrics()
        self.decoders = VideoDecoders(most, 2, self.metrics, **options)

    def open(self, name: str = "anna") -> Any:
        return self.decoders.open(Payer(name))  # type: ignore[arg-type]

    def lost(self, why: str) -> float:
        return float(
            self.metrics.registry.get_sample_value("splitdnn_cloud_video_lost_total", {"why": why}) or 0
        )

    def streams(self) -> float:
        return float(self.metrics.registry.get_sample_value("splitdnn_cloud_video_streams") or 0)


async def take(stream: Any, codec: Codec, frame: Encoded, shape: tuple[int, ...]) -> np.ndarray:
    """The picture of the stream's next frame."""
    found: np.ndarray = await stream.decode(codec.id, frame.params, frame.payload, shape, WAIT_S)
    return found


def run(check: Callable[[Room], Awaitable[None]], most: int = 4, **options: Any) -> None:
    """Run a check with decoders, and end their processes."""

    async def whole() -> None:
        room = Room(most, **options)
        with contextlib.ExitStack() as held:
            held.callback(room.decoders.stop)
            await check(room)

    asyncio.run(whole())
