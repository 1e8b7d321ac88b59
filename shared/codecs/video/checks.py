"""What a frame says of a picture of a video, and what its payload says itself."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.codecs.base import elements
from shared.codecs.video.kinds import coded_size
from shared.errors import ContentError
from shared.limits import MAX_PICTURE_EXTRA_BYTES, MAX_PICTURE_PIXELS

if TYPE_CHECKING:
    from shared.codecs.video.kinds import Kind
    from shared.wire.frame import Bytes


def check_shape(shape: tuple[int, ...], name: str) -> None:
    """Raise ContentError unless a picture may have this shape."""
    if len(shape) != 3 or shape[2] != 3 or not 0 < shape[0] * shape[1] <= MAX_PICTURE_PIXELS:
        raise ContentError(
            f"{name}: {shape} is no RGB picture of at most {MAX_PICTURE_PIXELS} pixels",
            accepted={"shape": ["height", "width", 3], "max_pixels": MAX_PICTURE_PIXELS},
        )


def check_length(kind: Kind, payload: Bytes, shape: tuple[int, ...]) -> None:
    """Raise ContentError for a picture that nobody takes, as far as that shows without reading its payload."""
    check_shape(shape, kind.name)
    most = elements(shape) + MAX_PICTURE_EXTRA_BYTES
    if len(payload) > most:
        raise ContentError(f"an {kind.name} picture of {shape} has at most {most} bytes, not {len(payload)}")


def check_payload(kind: Kind, payload: Bytes, shape: tuple[int, ...], *, keyframe: bool) -> bytes:
    """A payload, as far as it can be checked without a decoder: one picture, of this shape where it says so. Raises ContentError."""
    check_length(kind, payload, shape)
    data = bytes(payload)
    found = kind.size(data, keyframe=keyframe)
    if found not in (None, coded_size(shape)):
        raise ContentError(
            f"the {kind.name} picture is {' x '.join(map(str, found or ()))}; the frame says {shape}, which is coded as "
            f"{' x '.join(map(str, coded_size(shape)))}"
        )
    return data
