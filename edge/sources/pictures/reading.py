"""What one file of pictures holds: one picture, the frames of an animation, or the pages of a TIFF."""

from __future__ import annotations

import re
import warnings
from io import BytesIO
from itertools import count
from typing import TYPE_CHECKING, Any, TypeAlias, cast

import cv2
import numpy as np
from PIL import Image, ImageOps, UnidentifiedImageError

from edge.sources.opencv import to_bgr
from edge.sources.pictures import jpeg, jpeg2000, png, tiff
from edge.sources.pictures.tails import refuse_unfinished
from edge.sources.pictures.unreadable import MAX_BYTES, UnreadableError
from edge.sources.video.shown.geometry import square
from shared.codecs.pictures.jpeg import END_MARKER

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    from numpy.typing import NDArray

    from edge.sources.base import Picture
    from edge.sources.pictures.depth import Depth

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
_RED_FIRST = re.compile(rb"P7\n(?:(?!ENDHDR)[^\n]*\n)*?TUPLTYPE\s+RGB(?:_ALPHA)?\s*\n")
_PNM = re.compile(rb"P[2356](?:(?:\s|#[^\n]*\n)+\d+){2}(?:\s|#[^\n]*\n)+(\d+)\s")
_BEGINNINGS = re.compile(
    rb"\xff\xd8\xff|\x89PNG|GIF8|RIFF.{4}WEBP|II[*+]\x00|MM\x00[*+]|BM.{4}\x00{4}|.{4}ftypavi[fs]|\x00\x00\x00\x0cjP  |\xff\x4f\xff\x51"
    rb"|P[1-6Ff](?:\s|#[^\n]*\n)+\d|P7\n|#\?R|qoif|DDS |\x01\xda|\x59\xa6\x6a\x95|\x00\x00\x01\x00[^\x00]"
    rb"|\x0a[\x00-\x05]\x01[\x01\x02\x04\x08]|\x28\x00\x00\x00.{8}\x01\x00",
    re.DOTALL,
)
_HEAD = 4096
_GIF_MS, _GIF_LEAST_MS = 100.0, 20.0
_DAMAGED = "it is cut off or damaged"
FORMATS = "JPEG, PNG, WebP, AVIF, TIFF, GIF, BMP, JPEG 2000, PNM, PFM, HDR, QOI …"

Frame: TypeAlias = "tuple[Picture, float | None]"

warnings.filterwarnings("ignore", module=r"PIL\.")  # they name no file; what is wrong is said by us


def known(data: bytes) -> bool:
    """Whether a file that begins like this is a picture of a format that is read, or ought to be one."""
    return bool(_BEGINNINGS.match(data[:_HEAD]))


def frames(path: Path, depth: Depth) -> Iterator[Frame]:
    """All that the file holds, as `frames_of` gives it. Raises UnreadableError, also after some frames."""
    try:
        if path.stat().st_size > MAX_BYTES:
            raise UnreadableError(f"larger than {MAX_BYTES >> 20} MiB")
        data = path.read_bytes()
    except OSError as error:
        raise UnreadableError(f"{error.strerror}") from None
    yield from frames_of(data, depth, path.name)


def frames_of(data: bytes, depth: Depth, name: str) -> Iterator[Frame]:
    """Pictures, (H, W, 3) uint8 BGR, upright, and when each begins in an animation, in seconds (None: no animation).

    Alpha is left out, colour profiles are not applied. `depth` is the source's, `name` is for the log. Raises UnreadableError,
    also after some frames.
    """
    if not data:
        raise UnreadableError("it is empty")
    try:
        yield from _frames(data, depth, name)
    except (UnreadableError, GeneratorExit):
        raise
    except Image.DecompressionBombError as error:
        raise UnreadableError(" ".join(str(error).split())) from None
    except Exception as error:  # the libraries' readers raise anything
        raise UnreadableError(
            _DAMAGED if known(data) else f"no picture of a format that is read: {FORMATS}"
        ) from error


def _frames(data: bytes, depth: Depth, name: str) -> Iterator[Frame]:
    if data.startswith(b"\xff\xd8\xff"):
        jpeg.refuse_damaged(data)
        yield _by_opencv(data, cv2.IMREAD_COLOR, b"", END_MARKER), None
    elif data.startswith((b"II*\0", b"MM\0*", b"II+\0", b"MM\0+")):
        yield from ((picture, None) for picture in _pages(data, depth, name))
    elif data.startswith(png.SIGNATURE):
        png.refuse_damaged(data)
        for picture, time_s in _of_png(data, depth, name):
            yield square(picture, png.pixel_aspect(data)), time_s
    else:
        yield from _of_other_formats(data, depth, name)


def _of_png(data: bytes, depth: Depth, name: str) -> Iterator[Frame]:
    if png.is_deep(data):
        yield to_bgr(depth.to_eight_bits(_by_opencv(data, _AS_IT_IS), name)), None
    else:
        yield from _by_pillow(Image.open(BytesIO(data), formats=("PNG",)), depth, name)


def _of_other_formats(data: bytes, depth: Depth, name: str) -> Iterator[Frame]:
    try:
        image: Image.Image | None = Image.open(BytesIO(data), formats=_BY_PILLOW)
    except UnidentifiedImageError:
        image = None
    refuse_unfinished(data, image.format if image and image.format else "")
    white = _stated_white(data)
    # Pillow makes 8 bits of deep colours in a PNM, and 16 of deep greys, whatever they hold.
    if image is None or white > 255:
        picture = _pam(data) if data.startswith(b"P7\n") else _by_opencv(data, _AS_IT_IS)
        yield to_bgr(_eight_bits(picture, white, depth, name)), None
    elif image.format == "JPEG2000":  # it says how deep it is, and OpenCV looks
        flags = _AS_IT_IS if jpeg2000.is_deep(data) else cv2.IMREAD_COLOR
        yield to_bgr(_eight_bits(_by_opencv(data, flags), 0, depth, name)), None
    else:
        yield from _by_pillow(image, depth, name)


def _pam(data: bytes) -> NDArray[Any]:
    """A PAM. OpenCV takes red for blue where another program wrote it, and mixes up the pixels where it is to leave alpha out."""
    picture = _by_opencv(data, cv2.IMREAD_UNCHANGED)
    if picture.ndim == 3 and picture.shape[2] == 2:
        return np.ascontiguousarray(picture[..., 0])
    return np.ascontiguousarray(picture[..., 2::-1]) if _RED_FIRST.match(data[:_HEAD]) else picture


def _stated_white(data: bytes) -> int:
    """The number that is white in a PNM; 0 where it is not one."""
    found = _PNM.match(data[:_HEAD])
    return int(found[1]) if found else 0


def _eight_bits(picture: NDArray[Any], white: int, depth: Depth, name: str) -> Picture:
    if picture.dtype == np.uint8:
        return cast("Picture", picture)
    if 255 < white < 65535:
        return cast("Picture", (picture.astype(np.uint32) * 255 // white).astype(np.uint8))
    return depth.to_eight_bits(picture, name)


def _by_opencv(data: bytes | bytearray, flags: int, *endings: bytes) -> NDArray[Any]:
    """A picture (H, W) or (H, W, C), BGR, as deep as `flags` let it be. `endings`: what to try one after another behind the data."""
    for ending in endings or (b"",):
        picture = cv2.imdecode(np.frombuffer(data + ending if ending else data, np.uint8), flags)
        if picture is not None:
            return cast("NDArray[Any]", picture)
    raise ValueError("OpenCV cannot decode it")


def _pages(data: bytes, depth: Depth, name: str) -> Iterator[Picture]:
    image, changed, empty = None, bytearray(), True
    for page in tiff.pages(data):
        empty = False
        if page.deep:
            changed = changed or bytearray(data)
            tiff.begin_with(changed, page)
            samples = _by_opencv(changed, _AS_IT_IS)
            if page.white_is_zero and samples.dtype == np.uint16:  # OpenCV leaves that to us
                samples = np.uint16(2**page.bits - 1) - samples
            yield to_bgr(depth.to_eight_bits(samples, name))
        else:
            image = image or Image.open(BytesIO(data), formats=("TIFF",))
            image.seek(page.index)
            yield _upright(image, depth, name)
    if empty:
        raise UnreadableError("it holds previews only")


def _by_pillow(image: Image.Image, depth: Depth, name: str) -> Iterator[Frame]:
    with image:
        animated = getattr(image, "is_animated", False)
        # A picture for readers without animation may come first.
        hidden = 1 if animated and image.info.get("default_image") else 0
        elapsed_ms = 0.0
        for index in count(hidden):
            try:
                image.seek(index)
            except EOFError:
                return
            yield _upright(image, depth, name), elapsed_ms / 1e3 if animated else None
            elapsed_ms += _shown_ms(image)


def _shown_ms(image: Image.Image) -> float:
    """How long the frame of an animation is shown. A GIF's of less than 20 ms are 100 ms, to FFmpeg and to browsers."""
    shown = float(image.info.get("duration") or 0)
    return _GIF_MS if image.format == "GIF" and shown < _GIF_LEAST_MS else shown


def _upright(image: Image.Image, depth: Depth, name: str) -> Picture:
    shown = ImageOps.exif_transpose(image)
    if shown.mode in {"F", "I"} or shown.mode.startswith("I;"):
        return to_bgr(depth.to_eight_bits(np.asarray(shown), name))
    rgb = np.asarray(shown if shown.mode == "RGB" else shown.convert("RGB"))
    return cast("Picture", cv2.cvtColor(rgb, cv2.COLOR_RGB2BGR))
