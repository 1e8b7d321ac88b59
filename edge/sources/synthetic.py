"""A source that needs no file, camera or network: the same pixels for the same frame number, everywhere."""

from __future__ import annotations

import time
from threading import Event
from typing import TYPE_CHECKING

import cv2
import numpy as np

from edge.sources.base import Shot
from shared.codecs.spec import parse_spec, refuse_rest, take_number, take_whole

if TYPE_CHECKING:
    from collections.abc import Callable

    from numpy.typing import NDArray

OPTIONS = ["fps", "frames", "width", "height"]
SCENE_SECONDS = 3
_TILE = 64  # every pattern repeats after so many pixels, in both directions


class Synthetic:
    """Patterns that drift behind a ball, another pattern every few seconds.

    With `fps` above 0 it is live and gives at most so many frames per second; with 0 it is lossless and
    gives them as fast as they are read. It ends after `frames` frames; 0 means never.
    """

    def __init__(
        self,
        spec: str,
        *,
        clock: Callable[[], float] = time.monotonic,
        sleep: Callable[[float], object] | None = None,
    ) -> None:
        """Read `synthetic:fps=10,frames=300,width=640,height=480`. Raises SettingsError."""
        name, options = parse_spec(spec)
        self._fps = take_number(options, "fps", 10, 0, 1000)
        self._frames = take_whole(options, "frames", 0, 0, 10**9)
        self._width = take_whole(options, "width", 640, 16, 8192)
        self._height = take_whole(options, "height", 480, 16, 8192)
        refuse_rest(name, options, OPTIONS)
        self.name = spec
        self.live = self._fps > 0
        self._clock = clock
        self._closed = Event()
        self._sleep = sleep or self._closed.wait  # so that close() ends a wait
        self._tiles = _tiles()
        self._index = 0
        self._due = 0.0

    def open(self) -> None:
        """Start at the first frame."""
        self._closed.clear()
        self._index = 0
        self._due = self._clock()

    def read(self) -> Shot | None:
        """The next frame at its time; None after the last one."""
        if self._frames and self._index >= self._frames:
            return None
        if self.live:
            self._wait()
        if self._closed.is_set():
            return None
        number, self._index = self._index, self._index + 1
        return Shot(self.draw(number), number, number / self._fps if self._fps else None)

    def close(self) -> None:
        """End a read that waits, from any thread."""
        self._closed.set()

    def draw(self, index: int) -> NDArray[np.uint8]:
        """(H, W, 3) uint8 BGR: frame number `index`. Integers only, so that every machine draws the same."""
        scene_frames = max(1, round(SCENE_SECONDS * (self._fps or 10)))
        tile = self._tiles[index // scene_frames % len(self._tiles)]
        drifted = np.roll(tile, (index, 2 * index), axis=(0, 1))
        rows, columns = -(-self._height // _TILE), -(-self._width // _TILE)
        picture = np.ascontiguousarray(np.tile(drifted, (rows, columns, 1))[: self._height, : self._width])
        centre = (index * 7 % self._width, (self._height + index * 3) // 2 % self._height)
        cv2.circle(picture, centre, min(self._width, self._height) // 6, (0, 128, 255), thickness=-1)
        return picture

    def _wait(self) -> None:
        late = self._clock() - self._due
        if late < 0:
            self._sleep(-late)
        elif late > 1 / self._fps:  # a slow reader has missed frames, and must not get them in a burst
            self._due += late
        self._due += 1 / self._fps


def _tiles() -> list[NDArray[np.uint8]]:
    """Patterns of (64, 64, 3) uint8 BGR that a classifier tells apart."""
    y, x = np.mgrid[:_TILE, :_TILE]
    stripes = (2 * x + y) // 32 % 2
    checks = (x // 32 + y // 32) % 2
    dots = ((x + 16 * (y // 32)) % 32 - 16) ** 2 + (y % 32 - 16) ** 2 < 150
    mortar = (y % 16 < 2) | ((x + 16 * (y // 16 % 2)) % 32 < 2)
    rings = ((x - 32) ** 2 + (y - 32) ** 2) // 128 % 2
    grass = np.random.default_rng(0).integers(0, 4, (_TILE, _TILE))
    looks = [
        (stripes, (30, 30, 30), (240, 240, 240)),
        (dots, (20, 120, 230), (20, 30, 40)),
        (mortar, (40, 60, 160), (190, 190, 190)),
        (checks, (255, 255, 255), (0, 0, 0)),
        (grass, (40, 110, 40), (60, 200, 90)),
        (rings, (200, 120, 20), (240, 240, 200)),
    ]
    return [np.where(mask[..., None] > 0, front, back).astype(np.uint8) for mask, back, front in looks]
