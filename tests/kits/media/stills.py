"""Pictures in files of their own: how they are written, and what must be seen of them."""

from __future__ import annotations

from dataclasses import dataclass
from functools import partial
from typing import TYPE_CHECKING, Any

import cv2
import numpy as np
from kits.media import clip
from kits.media.making import Written
from kits.media.reference import Seen
from PIL import Image

if TYPE_CHECKING:
    from collections.abc import Callable, Sequence
    from pathlib import Path

    from numpy.typing import NDArray

WIDTH, HEIGHT = 160, 120
ORIENTATION = 0x0112
# By the number in EXIF: how what is stored becomes what was seen, as a function of an array.
UPRIGHT: dict[int, Callable[[NDArray[Any]], NDArray[Any]]] = {
    1: lambda stored: stored,
    2: lambda stored: stored[:, ::-1],
    3: lambda stored: stored[::-1, ::-1],
    4: lambda stored: stored[::-1],
    5: lambda stored: np.swapaxes(stored, 0, 1),
    6: lambda stored: np.rot90(stored, -1),
    7: lambda stored: np.swapaxes(stored[::-1, ::-1], 0, 1),
    8: lambda stored: np.rot90(stored, 1),
}


def picture(at: float = 0) -> NDArray[np.uint8]:
    """(120, 160, 3) uint8 BGR."""
    return clip.frame(WIDTH, HEIGHT, at)


def image(mode: str = "RGB", at: float = 0) -> Image.Image:
    """The same for Pillow, in another mode; what has alpha is clear on the left."""
    made = Image.fromarray(picture(at)[..., ::-1].copy()).convert(mode.removesuffix("A") or mode)
    if mode.endswith("A"):
        made = made.convert(mode)
        made.putalpha(Image.fromarray(np.tile(np.linspace(64, 255, WIDTH).astype(np.uint8), (HEIGHT, 1))))
    return made


def grey() -> NDArray[np.uint8]:
    """(120, 160) uint8."""
    return np.asarray(image("L"))


def exif(orientation: int) -> Image.Exif:
    """EXIF that holds nothing else."""
    made = Image.Exif()
    made[ORIENTATION] = orientation
    return made


def _saved(path: Path, *, made: Callable[[], Image.Image], options: dict[str, Any]) -> None:
    made().save(path, **options)


def saved(mode: str = "RGB", made: Callable[[], Image.Image] | None = None, **options: Any) -> Written:
    """A file that Pillow writes."""
    return Written(partial(_saved, made=made or partial(image, mode), options=options))


def _animated(path: Path, *, mode: str, frames: int, options: dict[str, Any]) -> None:
    first, *others = (image(mode, at) for at in range(frames))
    first.save(path, save_all=True, append_images=others, **options)


def animated(mode: str = "RGB", frames: int = 5, **options: Any) -> Written:
    """A file of several frames that Pillow writes."""
    return Written(partial(_animated, mode=mode, frames=frames, options=options))


def by_opencv(array: NDArray[Any], *options: int) -> Written:
    """A file that OpenCV writes."""

    def write(path: Path) -> None:
        assert cv2.imwrite(str(path), array, options)

    return Written(write)


@dataclass(frozen=True)
class Truth:
    """What was written, and not what a reader makes of it."""

    pictures: Callable[[], Sequence[NDArray[Any]]]
    times_s: Sequence[float] | None = None

    def __call__(self, path: Path) -> list[Seen]:
        """These pictures, BGR; grey ones become it."""
        del path
        pictures = [_bgr(each) for each in self.pictures()]
        times = self.times_s or [None] * len(pictures)
        return [Seen(each, time) for each, time in zip(pictures, times, strict=True)]


def _bgr(array: NDArray[Any]) -> NDArray[np.uint8]:
    return np.ascontiguousarray(array if array.ndim == 3 else np.repeat(array[..., None], 3, axis=2))
