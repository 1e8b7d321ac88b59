"""The latest pictures of cameras that somebody looks at, each with the record of its frame.

Nothing is kept of a camera at which nobody looks. Of one that is looked at, a frame's picture is kept now and then until the frame is
answered, by reference; it is made into a JPEG when the first viewer asks for it, for all viewers at once, on a thread that gives way to
all others.
"""

from __future__ import annotations

import asyncio
import contextlib
import os
import threading
import time
from collections import deque
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from itertools import pairwise
from typing import TYPE_CHECKING, cast

import cv2
import numpy as np

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable

    from numpy.typing import NDArray

    from edge.cameras.shapes import Part
    from edge.frames.way import Captured
    from edge.output.results import Record

KEEP_S = 3.0
"""A camera is looked at for so long after a viewer has said that he looks."""
EVERY_S = 0.22
"""Between two pictures of a camera, at least."""
MAX_WIDTH, MAX_HEIGHT = 640, 1280
MAX_HELD_BYTES = 96 << 20
"""Bytes of pictures that wait for their answers or to be made into JPEGs, of all cameras; more only if it is a single one."""
_WAITING = 2
_KEPT, _RAW = 6, 3
"""Pictures of a camera whose frames are answered: a viewer far away asks late. And how many of them are not made into JPEGs yet."""
_QUALITY = 75
_BAND = 1 << 16
"""Pixels that OpenCV makes on one thread."""
_NICE = 10
_PATIENCE_S = 2.0


@dataclass(eq=False, slots=True)
class Picture:
    """A frame's picture as the network was given it: what is masked is black, what is cut off is missing."""

    frame_id: str
    size: tuple[int, int]
    """(height, width) of the camera's whole picture."""
    part: Part | None
    """Where in that it lies; None if it is all of it."""
    pixels: NDArray[np.uint8] | None
    """(h, w, 3) BGR; None once it is a JPEG."""
    record: Record | None = None
    """None until the frame is answered."""
    jpeg: asyncio.Future[bytes] | None = None


class _Watched:
    """One camera at which somebody looks."""

    def __init__(self) -> None:
        self.until_s = self.kept_s = 0.0
        self.waiting: deque[Picture] = deque(maxlen=_WAITING)
        self.answered: deque[Picture] = deque(maxlen=_KEPT)
        self.news = asyncio.Event()

    def held(self) -> int:
        return sum(_size(each.pixels) for each in (*self.waiting, *self.answered) if each.pixels is not None)


class Pictures:
    """Used on the event loop, except for `look`."""

    def __init__(
        self,
        cameras: Iterable[str],
        *,
        made: Callable[[], object] = lambda: None,
        clock: Callable[[], float] = time.monotonic,
    ) -> None:
        """`made` is called for each JPEG."""
        self._cameras = frozenset(cameras)
        self._made = made
        self._clock = clock
        self._lock = threading.Lock()
        """Around what `look` reads and the event loop changes."""
        self._watched: dict[str, _Watched] = {}
        self._making = 0  # bytes of pictures that the thread has, or is to have
        self._thread = ThreadPoolExecutor(1, thread_name_prefix="page", initializer=_give_way)

    def look(self, frame: Captured) -> None:
        """A frame is about to be prepared; keep its picture if it is wanted. From any thread."""
        watched = self._watched.get(frame.origin.camera)
        origin = frame.origin
        if watched is None or origin.captured_s - watched.kept_s < EVERY_S:
            return
        with self._lock:
            if len(watched.waiting) == _WAITING:
                return
            held = self._making + sum(each.held() for each in self._watched.values())
            if held and held + _size(frame.picture) > MAX_HELD_BYTES:
                return
            watched.kept_s = origin.captured_s
            watched.waiting.append(
                Picture(f"{origin.frame_id:016x}", origin.size, origin.part, frame.picture)
            )

    def answered(self, record: Record) -> None:
        """A frame is done: its picture, if that is kept, may be shown."""
        watched = self._watched.get(record.camera)
        if watched is None:
            return
        with self._lock:
            waiting = watched.waiting
            while (
                waiting and waiting[0].frame_id < record.frame_id
            ):  # records come in order, so that one was lost
                waiting.popleft()
            if not waiting or waiting[0].frame_id != record.frame_id:
                return
            picture = waiting.popleft()
            picture.record = record
            watched.answered.append(picture)
            for old in list(watched.answered)[:-_RAW]:
                if old.jpeg is None:
                    watched.answered.remove(old)
        watched.news.set()

    def watch(self, camera: str) -> None:
        """Somebody looks at this camera now, and for `KEEP_S`. Names that there are not are nobody's."""
        if camera not in self._cameras:
            return
        watched = self._watched.get(camera)
        if watched is None:
            with self._lock:
                watched = self._watched[camera] = _Watched()
            asyncio.get_running_loop().call_later(KEEP_S, self._look_again, camera)
        watched.until_s = self._clock() + KEEP_S

    def latest(self, camera: str) -> Picture | None:
        """The newest picture whose frame is answered; None if there is none, or nobody looks."""
        watched = self._watched.get(camera)
        return watched.answered[-1] if watched and watched.answered else None

    async def jpeg(self, camera: str, frame: int | None) -> tuple[Record, bytes] | None:
        """The JPEG of this frame, or of the newest one, for which it waits a moment; with the frame's record. None if there is none."""
        self.watch(camera)
        watched = self._watched.get(camera)
        if watched is None:
            return None
        if frame is None and not watched.answered:
            with contextlib.suppress(TimeoutError):
                async with asyncio.timeout(_PATIENCE_S):
                    await watched.news.wait()
        for picture in reversed(watched.answered):
            assert picture.record is not None
            if frame in (None, picture.record.frame):
                return picture.record, await self._encoded(picture)
        return None

    def close(self) -> None:
        """Forget all pictures."""
        with self._lock:
            self._watched.clear()
        self._thread.shutdown(wait=False, cancel_futures=True)

    async def _encoded(self, picture: Picture) -> bytes:
        if picture.jpeg is None:
            assert picture.pixels is not None
            loop, size = asyncio.get_running_loop(), _size(picture.pixels)
            picture.jpeg = loop.run_in_executor(self._thread, encode, picture.pixels)
            with self._lock:
                picture.pixels = None
                self._making += size
            picture.jpeg.add_done_callback(lambda _: self._let_go(size))
            self._made()
        return await asyncio.shield(picture.jpeg)  # the others wait for it too

    def _let_go(self, size: int) -> None:
        with self._lock:
            self._making -= size

    def _look_again(self, camera: str) -> None:
        watched = self._watched.get(camera)
        if watched is None:
            return
        left_s = watched.until_s - self._clock()
        if left_s > 0:
            asyncio.get_running_loop().call_later(left_s, self._look_again, camera)
        else:
            with self._lock:
                del self._watched[camera]


def _size(pixels: NDArray[np.uint8]) -> int:
    """Bytes that are kept with it: of a strip cut out of a picture, the whole picture's."""
    return int(getattr(pixels.base, "nbytes", pixels.nbytes))


def encode(pixels: NDArray[np.uint8]) -> bytes:
    """(h, w, 3) BGR -> a JPEG of at most `MAX_WIDTH` x `MAX_HEIGHT` pixels."""
    height, width = pixels.shape[:2]
    scale = min(1.0, MAX_WIDTH / width, MAX_HEIGHT / height)
    if scale < 1:
        pixels = _smaller(pixels, max(1, round(width * scale)), max(1, round(height * scale)))
    done, data = cv2.imencode(".jpg", pixels, [cv2.IMWRITE_JPEG_QUALITY, _QUALITY])
    if not done:
        raise ValueError("OpenCV makes no JPEG of this picture")
    return data.tobytes()


def _smaller(pixels: NDArray[np.uint8], width: int, height: int) -> NDArray[np.uint8]:
    """In bands of which OpenCV makes each on this thread alone: its pool is the frames', and whoever needs it first gives it its priority."""
    rows = max(1, _BAND // width)
    tops = [*range(0, height, rows), height]
    places = [round(top * len(pixels) / height) for top in tops]
    bands = [
        cast(
            "NDArray[np.uint8]",
            cv2.resize(pixels[place:end], (width, bottom - top), interpolation=cv2.INTER_AREA),
        )
        for (place, end), (top, bottom) in zip(pairwise(places), pairwise(tops), strict=True)
    ]
    return np.concatenate(bands)


def _give_way() -> None:
    """Frames go first."""
    with contextlib.suppress(OSError, AttributeError):
        os.setpriority(os.PRIO_PROCESS, threading.get_native_id(), _NICE)
