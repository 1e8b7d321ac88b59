"""Which codecs there are. Ids are part of the wire format: never reuse one, never derive one from order."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.codecs.calibrated.codec import Calibrated
from shared.codecs.floating import Floating
from shared.codecs.int8 import Int8
from shared.codecs.pictures import CompressedPicture
from shared.codecs.raw import Raw
from shared.codecs.spec import parse_spec, refuse_rest, take_whole
from shared.codecs.zstd import Zstd
from shared.errors import CodecError, SettingsError, suggest

if TYPE_CHECKING:
    from shared.codecs.base import Codec

_FLOAT32 = Floating(1, "float32", "<f4")
_FLOAT16 = Floating(3, "float16", "<f2")
_INT8 = Int8(5, "int8")

CODECS: dict[int, Codec] = {
    codec.id: codec
    for codec in (
        _FLOAT32,
        Zstd(2, _FLOAT32),
        _FLOAT16,
        Zstd(4, _FLOAT16),
        _INT8,
        Zstd(6, _INT8),
        Calibrated(),
        Raw(64, "raw"),
        CompressedPicture(65, "png", compress_level=1),
        CompressedPicture(66, "jpeg", quality=90, subsampling=0),
        CompressedPicture(67, "webp", quality=90, method=4),
    )
}
NAMES: dict[str, Codec] = {codec.name: codec for codec in CODECS.values()}


def codec_by_id(codec_id: int) -> Codec:
    """The codec of a received frame. Raises CodecError with the known ones."""
    try:
        return CODECS[codec_id]
    except KeyError:
        known = {codec.id: codec.name for codec in CODECS.values()}
        raise CodecError(f"unknown codec id {codec_id}", accepted=known) from None


def make_codec(spec: str) -> Codec:
    """The encoder that a user asked for, e.g. `int8+zstd`, `int8+zstd:level=3`, `jpeg:quality=90`.

    Raises SettingsError with the nearest names, or the option's range.
    """
    name, options = parse_spec(spec)
    if name not in NAMES:
        raise SettingsError(f"unknown codec {name!r}; {suggest(name, NAMES)}")
    codec = NAMES[name]
    ranges = codec.ranges()
    chosen = {key: take_whole(options, key, value, *ranges[key]) for key, value in codec.options().items()}
    refuse_rest(name, options, list(ranges))
    return codec.with_options(**chosen)
