"""The codecs by id and name: the built-in ones, and those of other packages. Ids are part of the wire format: never reuse one."""

from __future__ import annotations

from importlib import metadata
from typing import TYPE_CHECKING

from shared.codecs.calibrated.codec import Calibrated
from shared.codecs.calibrated.inter.codec import CalibratedInter
from shared.codecs.floating import FLOAT32, Floating
from shared.codecs.int8 import Int8
from shared.codecs.pictures.codec import CompressedPicture, Raw
from shared.codecs.plugin import IDS, PluginCodec, name_in
from shared.codecs.spec import parse_spec, refuse_rest, take_whole
from shared.codecs.symbols import Symbols
from shared.codecs.video.codec import Video
from shared.codecs.video.kinds import AV1, H264, H265, is_installed
from shared.codecs.zstd import FLOAT32_ZSTD, Zstd
from shared.errors import CodecError, SettingsError, suggest
from shared.process import plugins

if TYPE_CHECKING:
    from collections.abc import Callable, Iterable, Mapping

    from shared.codecs.base import Codec
    from shared.wire.frame import EncodedTensor

GROUP = "splitdnn.codecs"
"""The entry-point group in which a package offers a Codec: a class, an object, or a function that makes one."""

_FLOAT16 = Floating(3, "float16", "<f2")
_INT8 = Int8(5, "int8")
_UINT8 = Symbols(7, "uint8")

CODECS: dict[int, Codec] = {
    codec.id: codec
    for codec in (
        FLOAT32,
        FLOAT32_ZSTD,
        _FLOAT16,
        Zstd(4, _FLOAT16),
        _INT8,
        Zstd(6, _INT8),
        _UINT8,
        Zstd(8, _UINT8),
        Calibrated(),
        CalibratedInter(),
        Raw(64, "raw"),
        CompressedPicture(65, "png", compress_level=1),
        CompressedPicture(66, "jpeg", quality=90, subsampling=0),
        CompressedPicture(67, "webp", quality=90, method=4),
        Video(68, H264),
        Video(69, H265),
        Video(70, AV1),
    )
}
"""The built-in ones, by id."""
NAMES: dict[str, Codec] = {codec.name: codec for codec in CODECS.values()}
"""The same by name."""


class Plugins:
    """The codecs of other packages, loaded on first use. May be used from any thread."""

    def __init__(self, entry_points: Callable[[], Iterable[metadata.EntryPoint]]) -> None:
        self._plugins: plugins.Plugins[PluginCodec] = plugins.Plugins("codec", entry_points, _codec_of)

    @property
    def broken(self) -> Mapping[str, str]:
        """Why an entry point gave no codec, by its name; filled by `by_id`."""
        return self._plugins.broken

    def by_id(self) -> Mapping[int, PluginCodec]:
        """All that could be loaded. Each of the others is named in one warning, and stops nothing."""
        return self._plugins.loaded()


def _codec_of(entry: metadata.EntryPoint, found: Mapping[int, PluginCodec]) -> tuple[int, PluginCodec]:
    """Import what an entry point names. Raises whatever its package raises, and ValueError if it cannot be one of the codecs."""
    given = entry.load()
    inner = given() if callable(given) else given
    codec = PluginCodec(inner, f"{entry.dist.name} {entry.dist.version}" if entry.dist else entry.value)
    _refuse_taken(codec, found)
    return codec.id, codec


def _refuse_taken(codec: PluginCodec, found: Mapping[int, PluginCodec]) -> None:
    names = {other.name for other in found.values()} | set(NAMES)
    if codec.name in names:
        raise ValueError(f"there is a codec {codec.name} already")
    if codec.id in found:
        raise ValueError(f"its id {codec.id} is that of the codec {found[codec.id].name} already")


_plugins = Plugins(lambda: metadata.entry_points(group=GROUP))


def plugin_codecs() -> list[Codec]:
    """The codecs of other packages that could be loaded, by id."""
    return [codec for _, codec in sorted(_plugins.by_id().items())]


def known_codecs() -> dict[str, Codec]:
    """Every codec that this process can encode and decode, by name, built-in ones first; without those of video where there is no PyAV."""
    usable = {name: codec for name, codec in NAMES.items() if not isinstance(codec, Video) or is_installed()}
    return usable | {codec.name: codec for codec in plugin_codecs()}


def codec_of(tensor: EncodedTensor) -> Codec:
    """The codec that decodes a tensor of a frame. Raises CodecError, naming it, with the known ones."""
    named = name_in(tensor.params) if tensor.codec_id in IDS else None
    codec = _plugins.by_id().get(tensor.codec_id) if named else CODECS.get(tensor.codec_id)
    if codec is not None and named in (None, codec.name):
        return codec
    what = (
        f"unknown codec {named!r} (id {tensor.codec_id})" if named else f"unknown codec id {tensor.codec_id}"
    )
    known = known_codecs()
    raise CodecError(
        f"{what}; known: {', '.join(known)}", accepted={codec.id: codec.name for codec in known.values()}
    )


def make_codec(spec: str) -> Codec:
    """The encoder that this text names, e.g. `int8+zstd`, `int8+zstd:level=3`, `jpeg:quality=90`.

    Raises SettingsError with the nearest names, or the option's range.
    """
    name, options = parse_spec(spec)
    codec = NAMES.get(name) or known_codecs().get(name)
    if codec is None:
        if name in _plugins.broken:
            raise SettingsError(f"codec {name!r} cannot be used: {_plugins.broken[name]}")
        raise SettingsError(f"unknown codec {name!r}; {suggest(name, known_codecs())}")
    ranges = codec.ranges()
    chosen = {key: take_whole(options, key, value, *ranges[key]) for key, value in codec.options().items()}
    refuse_rest(name, options, list(ranges))
    return codec.with_options(**chosen)
