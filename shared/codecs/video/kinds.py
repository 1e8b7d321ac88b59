"""The three kinds of video, and what makes each of them encode a picture the moment it comes."""

from __future__ import annotations

from dataclasses import dataclass
from importlib.util import find_spec
from typing import TYPE_CHECKING

from shared.codecs.video import av1, h264, h265
from shared.errors import CodecError

if TYPE_CHECKING:
    from collections.abc import Callable

PYAV = "18.1.0"
"""The version that our extras install."""
MIN_SIDE = 16
"""Pixels of the shorter side of a coded picture: libx265 takes no smaller ones."""
INTERVAL = (1, 1000)
"""Pictures from one keyframe to the next, at most."""
DEFAULT_INTERVAL = 50


@dataclass(frozen=True, slots=True)
class Kind:
    """One kind of video."""

    name: str
    encoder: str
    """As FFmpeg calls it, as the decoder."""
    decoder: str
    options: tuple[tuple[str, str], ...]
    """The encoder's, besides its quality: no picture waits for another, none refers to a later one, and keyframes come when we say."""
    quality: tuple[int, int]
    """Lowest and highest `crf`: a low one is the better picture."""
    default_quality: int
    size: Callable[..., tuple[int, int] | None]
    """(height, width) in the headers of a payload, which is checked; None where it brings none."""
    bare: Callable[[bytes], bytes]
    """A payload without what no decoder needs."""
    has_b: Callable[[bytes], bool]
    """Whether a packet needs one that is shown after it."""
    passes: bool = False
    """Whether the packets of a camera may travel as they are."""


# scenecut=0: an encoder that decides on a keyframe by itself would send one that is not said to be one.
H264 = Kind(
    "h264",
    "libx264",
    "h264",
    (
        ("preset", "veryfast"),
        ("tune", "zerolatency"),
        ("forced-idr", "1"),
        ("x264-params", "scenecut=0:keyint=infinite:sliced-threads=0:repeat-headers=1:level=51"),
    ),
    (1, 51),
    23,
    h264.size,
    h264.bare,
    h264.has_b,
    passes=True,
)
H265 = Kind(
    "h265",
    "libx265",
    "hevc",
    (
        ("preset", "fast"),
        ("tune", "zerolatency"),
        ("forced-idr", "1"),
        (
            "x265-params",
            "scenecut=0:keyint=-1:open-gop=0:repeat-headers=1:bframes=0:rc-lookahead=0:lookahead-slices=0:pools=none:wpp=0:frame-threads=1:info=0:log-level=none",
        ),
    ),
    (1, 51),
    26,
    h265.size,
    h265.bare,
    h265.has_b,
    passes=True,
)
AV1 = Kind(
    "av1",
    "libsvtav1",
    "libdav1d",
    (("preset", "8"), ("svtav1-params", "pred-struct=1:lookahead=0:scd=0:lp=1:keyint=-1")),
    (1, 63),
    35,
    av1.size,
    av1.bare,
    av1.has_b,
)


def is_installed() -> bool:
    """Whether there is PyAV, without importing it: it takes long."""
    return find_spec("av") is not None


def require_installed(kind: Kind) -> None:
    """Raise CodecError where there is no PyAV; nothing is imported for that."""
    if not is_installed():
        raise CodecError(_without(kind))


def missing(kind: Kind) -> str:
    """Why this kind cannot be used here, for people; empty if it can be."""
    if not is_installed():
        return _without(kind)
    import av  # noqa: PLC0415 - only who uses video has to have it

    try:
        av.codec.Codec(kind.encoder, "w")
        av.codec.Codec(kind.decoder, "r")
    except av.codec.codec.UnknownCodecError as error:
        return f"the codec {kind.name} needs {error}, which this PyAV ({av.__version__}) was built without: pip install av=={PYAV}"
    return ""


def _without(kind: Kind) -> str:
    return f"the codec {kind.name} needs PyAV, which is not installed: pip install av=={PYAV}"


def require(kind: Kind) -> None:
    """Raise CodecError if this kind cannot be used here."""
    if why := missing(kind):
        raise CodecError(why)


def coded_size(shape: tuple[int, ...]) -> tuple[int, int]:
    """(height, width) in which a picture of this shape is coded: even, as two rows share their colours, and not too small."""
    height, width = (max(MIN_SIDE, side + side % 2) for side in shape[:2])
    return height, width
