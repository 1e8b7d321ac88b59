"""What one file of pictures holds: one picture, the frames of an animation, or the pages of a TIFF."""

from __future__ import annotations

import warnings
from io import BytesIO
from typing import TYPE_CHECKING, Any, cast

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from edge.sources.files import jpeg, png, tiff
from edge.sources.files.unreadable import MAX_BYTES, UnreadableError
from edge.sources.opencv import to_bgr

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from edge.sources.base import Picture
    from edge.sources.files.depth import Depth

_BY_PILLOW = (
    "AVIF",
    "BMP",
    "DDS",
    "DIB",
    "GIF",
    "ICO",
    "JPEG2000",
    "PCX",
    "PNG",
    "PPM",
    "QOI",
    "SGI",
    "SUN",
    "TIFF",
    "WEBP",
)
_AS_IT_IS = cv2.IMREAD_ANYDEPTH | cv2.IMREAD_ANYCOLOR
_ORIENTATION = 0x0112
_DAMAGED = "it is cut off or damaged"
FORMATS = "JPEG, PNG, WebP, AVIF, TIFF, GIF, BMP, JPEG 2000, PNM, PFM, HDR, QOI …"

warnings.filterwarnings("ignore", module=r"PIL\.")  # they name no file; what is wrong is said by us


def pillow_knows(path: Path) -> bool:
    """Whether Pillow reads files that begin like this one."""
    try:
        with Image.open(path, formats=_BY_PILLOW):
            return True
    except Exception:  # noqa: BLE001 - its readers raise anything
        return False


def frames(path: Path, depth: Depth) -> Iterator[tuple[Picture, float | None]]:
    """All that the file holds: pictures, (H, W, 3) uint8 BGR, upright, and when each begins in an animation, in seconds.

    Alpha is left out, colour profiles are not applied. Raises UnreadableError, also after some frames.
    """
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UnreadableError(f"larger than {MAX_BYTES >> 20} MiB")
        data = path.read_bytes()
    except OSError as error:
        raise UnreadableError(f"{error.strerror}") from None
    try:
        yield from _frames(data, depth, path.name)
    except (UnreadableError, GeneratorExit):
        raise
    except Image.DecompressionBombError as error:
        raise UnreadableError(" ".join(str(error).split())) from None
    except Exception as error:
        if not (cv2.haveImageReader(str(path)) or pillow_knows(path)):
            raise UnreadableError(f"no picture of a format that is read: {FORMATS}") from error
        raise UnreadableError(_DAMAGED) from error


def _frames(data: bytes, depth: Depth, name: str) -> Iterator[tuple[Picture, float | None]]:
    if data.startswith(b"\xff\xd8\xff"):
        jpeg.refuse_damaged(data)
        yield _by_opencv(data, cv2.IMREAD_COLOR, b"", jpeg.END_MARKER), None
    elif data.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        yield from ((picture, None) for picture in _pages(data, depth, name))
    elif data.startswith(png.SIGNATURE):
        png.refuse_damaged(data)
        if png.is_deep(data):
            yield depth.to_eight_bits(_by_opencv(data, cv2.IMREAD_COLOR | cv2.IMREAD_ANYDEPTH), name), None
        else:
            yield from _by_pillow(Image.open(BytesIO(data), formats=("PNG",)), depth, name)
    else:
        yield from _of_other_formats(data, depth, name)


def _of_other_formats(data: bytes, depth: Depth, name: str) -> Iterator[tuple[Picture, float | None]]:
    try:
        image: Image.Image | None = Image.open(BytesIO(data), formats=_BY_PILLOW)
    except UnidentifiedImageError:
        image = None
    if image is None:
        picture = _by_opencv(data, _AS_IT_IS)
        yield (picture if picture.dtype == np.uint8 else depth.to_eight_bits(picture, name)), None
    elif image.format == "JPEG2000":
        yield (
            _by_opencv(data, cv2.IMREAD_COLOR),
            None,
        )  # it says itself how many bits it has, and Pillow makes 8 of 16 wrongly
    else:
        yield from _by_pillow(image, depth, name)


def _by_opencv(data: bytes, flags: int, *endings: bytes) -> NDArray[Any]:
    """(H, W, 3), BGR, as deep as `flags` let it be. `endings`: what to try one after another behind the data."""
    for ending in endings or (b"",):
        picture = cv2.imdecode(np.frombuffer(data + ending if ending else data, np.uint8), flags)
        if picture is not None:
            return to_bgr(cast("NDArray[np.uint8]", picture))
    raise ValueError("OpenCV cannot decode it")


def _pages(data: bytes, depth: Depth, name: str) -> Iterator[Picture]:
    pages = tiff.pages(data)
    if not pages:
        raise UnreadableError("it holds previews only")
    for page in pages:
        if page.deep:
            span = (page.index, page.index + 1)
            found, pictures = cv2.imdecodemulti(np.frombuffer(data, np.uint8), _AS_IT_IS, range=span)
            if not found or not pictures:
                raise ValueError("OpenCV cannot decode it")
            yield depth.to_eight_bits(to_bgr(cast("NDArray[np.uint8]", pictures[0])), name)
        else:
            with Image.open(BytesIO(data), formats=("TIFF",)) as image:
                image.seek(page.index)
                yield _upright(image, depth, name)


def _by_pillow(image: Image.Image, depth: Depth, name: str) -> Iterator[tuple[Picture, float | None]]:
    with image:
        count = getattr(image, "n_frames", 1)
        first = (
            1 if image.info.get("default_image") and count > 1 else 0
        )  # what readers without animation show
        elapsed_ms = 0.0
        for index in range(first, count):
            image.seek(index)
            picture = _upright(image, depth, name)
            yield picture, elapsed_ms / 1e3 if count - first > 1 else None
            elapsed_ms += float(image.info.get("duration") or 0)


def _upright(image: Image.Image, depth: Depth, name: str) -> Picture:
    image.load()
    shown = ImageOps.exif_transpose(image) if image.getexif().get(_ORIENTATION, 1) != 1 else image
    if shown.mode in {"F", "I"} or shown.mode.startswith("I;"):
        samples = np.asarray(shown)
        if image.format == "PPM" and shown.mode == "I":  # Pillow has stretched what it says is white to 65535
            samples = samples.astype(np.uint16)
            return to_bgr((samples >> 8).astype(np.uint8))
        return to_bgr(depth.to_eight_bits(samples, name))
    rgb = np.asarray(shown if shown.mode == "RGB" else shown.convert("RGB"))
    return cast("Picture", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))


def first_picture(data: bytes, depth: Depth, name: str) -> Picture:
    """The first picture that a file of these bytes holds, as `frames` gives it. Raises UnreadableError."""
    try:
        return next(_frames(data, depth, name))[0]
    except UnreadableError:
        raise
    except Exception as error:
        raise UnreadableError(_DAMAGED) from error
