"""Which codecs there are, what a user writes to get one, and that one object serves several threads."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest
from kits.codecs import frame_of, name_of, picture, ready, tensor, there_and_back

from shared.codecs import CODECS, NAMES, Codec, codec_of, make_codec
from shared.codecs.calibrated.codec import Calibrated
from shared.codecs.pictures.codec import CompressedPicture
from shared.codecs.plugin import PluginCodec
from shared.codecs.symbols import CrossingSymbols
from shared.codecs.video.codec import VideoStream
from shared.codecs.zstd import Zstd
from shared.errors import CodecError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator

every_codec = pytest.mark.parametrize("codec", CODECS.values(), ids=name_of)


def subclasses(root: type[Codec]) -> Iterator[type[Codec]]:
    for child in root.__subclasses__():
        yield child
        yield from subclasses(child)


def test_every_kind_of_codec_is_registered() -> None:
    assert {type(codec) for codec in CODECS.values()} == {
        kind
        for kind in subclasses(Codec)
        if kind.__module__.startswith("shared.") and kind.__name__[0] != "_"  # other tests have their own
    } - {PluginCodec, CrossingSymbols, VideoStream}


def test_ids_and_names_are_unique_and_fit_their_fields() -> None:
    assert all(codec.id == key for key, codec in CODECS.items())
    assert {codec.name: codec for codec in CODECS.values()} == NAMES
    assert len(NAMES) == len(CODECS)
    assert all(1 <= key <= 0xFFFF for key in CODECS)


def test_ids_are_for_ever() -> None:
    assert {codec.name: codec.id for codec in CODECS.values()} == {
        "float32": 1, "float32+zstd": 2, "float16": 3, "float16+zstd": 4, "int8": 5, "int8+zstd": 6,
        "uint8": 7, "uint8+zstd": 8,
        "calibrated": 16, "calibrated-inter": 17,
        "raw": 64, "png": 65, "jpeg": 66, "webp": 67, "h264": 68, "h265": 69, "av1": 70,
    }  # fmt: skip


@every_codec
def test_a_codec_is_found_by_its_id(codec: Codec) -> None:
    assert codec_of(frame_of(NAMES["int8"], codec_id=codec.id).tensors[0]) is codec


def test_an_unknown_id_is_refused_with_the_known_ones() -> None:
    with pytest.raises(CodecError, match="99") as refusal:
        codec_of(frame_of(NAMES["int8"], codec_id=99).tensors[0])
    assert refusal.value.accepted[5] == "int8"


# --- what a user writes -----------------------------------------------------------------------------------------------


@every_codec
def test_a_name_alone_gives_the_registered_options(codec: Codec) -> None:
    made = make_codec(codec.name)
    assert (made.id, made.name, made.carries, made.options()) == (
        codec.id, codec.name, codec.carries, codec.options(),
    )  # fmt: skip


@pytest.mark.parametrize(
    ("spec", "options"),
    [
        ("int8+zstd:level=3", {"level": 3}),
        ("float32+zstd:level=19", {"level": 19}),
        ("png:compress_level=0", {"compress_level": 0}),
        ("jpeg:quality=75", {"quality": 75, "subsampling": 0}),
        ("jpeg:subsampling=2,quality=1", {"quality": 1, "subsampling": 2}),
        ("webp", {"quality": 90, "method": 4}),
        ("webp:quality=60,method=0", {"quality": 60, "method": 0}),
    ],
)
def test_options_are_taken(spec: str, options: dict[str, float]) -> None:
    assert make_codec(spec).options() == options


@pytest.mark.parametrize(
    "codec", [codec for codec in CODECS.values() if not isinstance(codec, Calibrated)], ids=name_of
)
def test_what_made_codecs_write_the_registered_ones_read(codec: Codec) -> None:
    for option, value in codec.options().items():
        made = make_codec(f"{codec.name}:{option}={min(value + 1, 2):g}")
        array = picture(16, 16) if codec.carries == "picture" else tensor((4, 6, 6))
        params, payload = ready(made).encode(array)
        np.testing.assert_allclose(
            codec.decode(params, payload, array.shape).astype(float),
            made.decode(params, payload, array.shape).astype(float),
            atol=0,
        )


def test_making_a_codec_leaves_the_registered_one_as_it_was() -> None:
    before = NAMES["jpeg"].options()
    make_codec("jpeg:quality=5")
    assert NAMES["jpeg"].options() == before


def test_options_steer_the_encoder() -> None:
    array = np.random.default_rng(0).integers(0, 256, (64, 64, 3), dtype=np.uint8)
    small, large = (len(make_codec(f"jpeg:quality={quality}").encode(array).payload) for quality in (5, 95))
    assert small < large / 2
    redundant = np.round(np.maximum(tensor((64, 14, 14)), 0))
    fast, slow = (
        len(make_codec(f"float32+zstd:level={level}").encode(redundant).payload) for level in (1, 19)
    )
    assert slow < fast


@pytest.mark.parametrize(
    ("spec", "message"),
    [
        ("int8+zst", "unknown codec 'int8\\+zst'; did you mean int8\\+zstd"),
        ("jpg", "unknown codec 'jpg'; did you mean jpeg or png"),
        ("", "unknown codec ''; known: float32, "),
        ("INT8", "unknown codec 'INT8'"),
        ("int8:level=3", "int8 has no option level; accepted: none"),
        ("int8+zstd:lvl=3", "int8\\+zstd has no option lvl; accepted: level"),
        ("jpeg:q=3,z=1", "jpeg has no option q, z; accepted: quality, subsampling"),
        ("int8+zstd:level=0", "level=0: out of range; accepted: 1 to 19"),
        ("int8+zstd:level=20", "level=20: out of range; accepted: 1 to 19"),
        ("jpeg:quality=101", "quality=101: out of range; accepted: 1 to 100"),
        ("jpeg:quality=high", "quality=high: not a number; accepted: 1 to 100"),
        ("jpeg:subsampling=3", "subsampling=3: out of range; accepted: 0 to 2"),
        ("webp:quality=0", "quality=0: out of range; accepted: 1 to 100"),
        ("webp:method=7", "method=7: out of range; accepted: 0 to 6"),
        ("webp:lossless=1", "webp has no option lossless; accepted: quality, method"),
        ("png:compress_level=10", "compress_level=10: out of range; accepted: 0 to 9"),
        ("jpeg:90", "cannot read '90'"),
    ],
)
def test_a_bad_spec_is_refused_with_what_is_accepted(spec: str, message: str) -> None:
    with pytest.raises(SettingsError, match=message):
        make_codec(spec)


# --- threads ----------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "codec", [c for c in CODECS.values() if isinstance(c, Zstd | CompressedPicture)], ids=name_of
)
def test_one_codec_serves_several_threads_at_once(codec: Codec) -> None:
    arrays = [
        picture(48, 48, seed=seed) if codec.carries == "picture" else tensor((32, 14, 14), seed=seed)
        for seed in range(40)
    ]
    expected = [there_and_back(codec, array) for array in arrays]
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda array: there_and_back(codec, array), arrays))
    for result, array in zip(results, expected, strict=True):
        np.testing.assert_array_equal(result, array)
