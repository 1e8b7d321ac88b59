"""Every codec: what comes back, how exactly, and what is refused."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import TYPE_CHECKING

import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from kits.codecs import PICTURE_CODECS, TENSOR_CODECS, name_of, picture, tensor

from shared.codecs import CODECS, NAMES, Codec, codec_by_id, make_codec
from shared.codecs.pictures import CompressedPicture
from shared.codecs.zstd import Zstd
from shared.errors import CodecError, ContentError, SettingsError

if TYPE_CHECKING:
    from collections.abc import Iterator

FLOAT32 = np.finfo(np.float32)
every_tensor_codec = pytest.mark.parametrize("codec", TENSOR_CODECS, ids=name_of)
every_picture_codec = pytest.mark.parametrize("codec", PICTURE_CODECS, ids=name_of)
every_codec = pytest.mark.parametrize("codec", CODECS.values(), ids=name_of)

TENSORS = {
    "signed": tensor((4, 3, 5)),
    "positive": np.abs(tensor((4, 3, 5), seed=1)),
    "negative": -np.abs(tensor((4, 3, 5), seed=2)),
    "far from zero": tensor((4, 3, 5), seed=3) + np.float32(1000),
    "half zeros, as a ReLU leaves them": np.maximum(tensor((8, 6, 6), seed=4), 0),
    "all zeros": np.zeros((3, 4), np.float32),
    "constant": np.full((3, 4), 2.75, np.float32),
    "constant and negative": np.full((3, 4), -2.75, np.float32),
    "one element": np.array([-3.5], np.float32),
    "vector": tensor((17,)),
    "four dimensions": tensor((2, 3, 2, 3)),
    "both ends at half a step": np.array([-1.5, 253.5], np.float32),
    "denormal": np.array([FLOAT32.smallest_subnormal, -FLOAT32.tiny / 4, 0], np.float32),
    "tiny": tensor((3, 4)) * np.float32(1e-30),
    "large": tensor((3, 4)) * np.float32(8000),
    "not contiguous": tensor((6, 8))[::2, 1::3],
    "column order": np.asfortranarray(tensor((4, 6))),
}
every_tensor = pytest.mark.parametrize("array", TENSORS.values(), ids=TENSORS.keys())


def there_and_back(codec: Codec, array: np.ndarray) -> np.ndarray:
    params, payload = codec.encode(array)
    assert isinstance(params, bytes)
    assert isinstance(payload, bytes)
    return codec.decode(params, payload, array.shape)


def scale_of(array: np.ndarray) -> float:
    """int8's scale, by its definition: 255 steps from the least to the greatest value, zero among them."""
    low, high = min(float(array.min()), 0.0), max(float(array.max()), 0.0)
    return max((high - low) / 255, float(FLOAT32.tiny))


# --- what comes back --------------------------------------------------------------------------------------------------


@every_tensor_codec
@every_tensor
def test_a_tensor_keeps_its_shape_and_becomes_float32(codec: Codec, array: np.ndarray) -> None:
    result = there_and_back(codec, array)
    assert (result.shape, result.dtype) == (array.shape, np.float32)


@pytest.mark.parametrize("name", ["float32", "float32+zstd"])
@every_tensor
def test_float32_is_lossless_to_the_bit(name: str, array: np.ndarray) -> None:
    assert there_and_back(NAMES[name], array).tobytes() == array.tobytes()


@pytest.mark.parametrize("name", ["float16", "float16+zstd"])
@every_tensor
def test_float16_is_the_nearest_half(name: str, array: np.ndarray) -> None:
    result = there_and_back(NAMES[name], array)
    np.testing.assert_array_equal(result, array.astype(np.float16))
    assert np.all(np.abs(result - array) <= np.maximum(np.abs(array) * 2.0**-11, 2.0**-25))


@pytest.mark.parametrize("name", ["int8", "int8+zstd"])
@every_tensor
def test_int8_is_off_by_at_most_half_a_scale(name: str, array: np.ndarray) -> None:
    error = np.abs(there_and_back(NAMES[name], array).astype(np.float64) - array.astype(np.float64)).max()
    assert error <= 0.5001 * scale_of(array)  # float32 arithmetic takes the rest


finite = st.floats(width=32, allow_nan=False, allow_infinity=False, min_value=-(2.0**123), max_value=2.0**123)


@settings(deadline=None)
@given(st.lists(finite, min_size=1, max_size=40))
def test_int8_is_off_by_at_most_half_a_scale_whatever_the_numbers(values: list[float]) -> None:
    array = np.array(values, np.float32)
    error = np.abs(there_and_back(NAMES["int8"], array).astype(np.float64) - array.astype(np.float64)).max()
    assert error <= 0.5001 * scale_of(array)


@every_tensor_codec
def test_zeros_stay_zeros(codec: Codec) -> None:
    array = np.maximum(tensor((8, 6, 6), seed=4), 0) + np.where(
        tensor((8, 6, 6), seed=5) > 2, np.float32(-1), 0
    )
    zeros = array == 0
    assert zeros.sum() > 50
    assert not there_and_back(codec, array)[zeros].any()


@every_tensor_codec
@pytest.mark.parametrize("value", [1.0, -1.0, 2.0**-10, -512.0])
def test_a_constant_stays_constant_within_rounding(codec: Codec, value: float) -> None:
    result = there_and_back(codec, np.full((5, 5), value, np.float32))
    assert len(set(result.ravel().tolist())) == 1
    assert result[0, 0] == pytest.approx(value, rel=1e-6)


@pytest.mark.parametrize("name", ["raw", "png"])
@pytest.mark.parametrize("size", [(8, 8), (1, 1), (13, 5), (224, 224)], ids=str)
def test_raw_and_png_are_lossless(name: str, size: tuple[int, int]) -> None:
    noise = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
    result = there_and_back(NAMES[name], noise)
    assert result.dtype == np.uint8
    np.testing.assert_array_equal(result, noise)


@pytest.mark.parametrize(("name", "most"), [("jpeg", 3), ("webp", 6)])
def test_a_lossy_picture_is_close_and_closer_with_quality(name: str, most: float) -> None:
    array = picture(64, 48)
    errors = [
        np.abs(there_and_back(make_codec(f"{name}:quality={quality}"), array).astype(int) - array).mean()
        for quality in (10, 90, 100)
    ]
    assert errors == sorted(errors, reverse=True)
    assert errors[1] < most


@pytest.mark.parametrize(("subsampling", "factors"), [(0, (1, 1)), (1, (2, 1)), (2, (2, 2))])
def test_jpeg_offers_full_half_and_quarter_colours(subsampling: int, factors: tuple[int, int]) -> None:
    payload = make_codec(f"jpeg:subsampling={subsampling}").encode(picture(16, 16)).payload
    luma = payload[payload.index(b"\xff\xc0") + 11]  # SOF0: sampling factors of the first component
    assert (luma >> 4, luma & 15) == factors


@pytest.mark.parametrize("size", [(1, 1), (1, 2), (2, 1), (13, 5), (17, 33)], ids=str)
@every_picture_codec
def test_a_picture_of_any_size_comes_back_in_it(codec: Codec, size: tuple[int, int]) -> None:
    result = there_and_back(codec, picture(*size))
    assert (result.shape, result.dtype) == ((*size, 3), np.uint8)


@pytest.mark.parametrize(("name", "size"), [("webp", (16384, 1)), ("webp", (1, 16384)), ("jpeg", (1, 65501))])
def test_a_picture_too_long_for_its_format_is_refused_by_name(name: str, size: tuple[int, int]) -> None:
    with pytest.raises(ContentError, match=f"no {name} holds a picture of shape"):
        NAMES[name].encode(np.zeros((*size, 3), np.uint8))


def test_the_largest_webp_is_carried() -> None:
    assert there_and_back(NAMES["webp"], np.zeros((1, 16383, 3), np.uint8)).shape == (1, 16383, 3)


@every_picture_codec
def test_a_picture_that_is_a_view_is_encoded_as_it_looks(codec: Codec) -> None:
    mirrored = picture(16, 12)[:, ::-1]
    assert codec.encode(mirrored) == codec.encode(mirrored.copy())


@every_tensor_codec
def test_what_is_encoded_is_left_as_it_was(codec: Codec) -> None:
    array = tensor()
    array.setflags(write=False)
    codec.encode(array)
    np.testing.assert_array_equal(array, tensor())


@pytest.mark.parametrize(("name", "per_element"), [("float32", 4), ("float16", 2), ("int8", 1), ("raw", 1)])
def test_a_plain_payload_has_the_size_its_table_says(name: str, per_element: int) -> None:
    array = picture() if name == "raw" else tensor()
    assert len(NAMES[name].encode(array).payload) == per_element * array.size


@pytest.mark.parametrize("name", ["float32", "float16", "int8"])
def test_zstandard_makes_the_tensor_of_a_relu_smaller(name: str) -> None:
    array = np.maximum(tensor((64, 14, 14)), 0)
    assert len(NAMES[f"{name}+zstd"].encode(array).payload) < 0.8 * len(NAMES[name].encode(array).payload)


# --- what is refused --------------------------------------------------------------------------------------------------


@every_tensor_codec
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_number_that_is_not_finite_is_refused_by_name_when_encoded(codec: Codec, value: float) -> None:
    array = tensor()
    array[1, 2, 3] = value
    with pytest.raises(ContentError, match="NaN or infinity; accepted: finite numbers"):
        codec.encode(array)


@pytest.mark.parametrize(("name", "dtype"), [("float32", "<f4"), ("float16", "<f2")])
@pytest.mark.parametrize("value", [np.nan, np.inf, -np.inf])
def test_a_number_that_is_not_finite_is_refused_by_name_when_decoded(
    name: str, dtype: str, value: float
) -> None:
    payload = np.array([0, value, 1], dtype=dtype).tobytes()
    with pytest.raises(ContentError, match="NaN or infinity; accepted: finite numbers"):
        NAMES[name].decode(b"", payload, (3,))
    with pytest.raises(ContentError, match="NaN or infinity; accepted: finite numbers"):
        NAMES[f"{name}+zstd"].decode(b"", zstandard.compress(payload), (3,))


@pytest.mark.parametrize(
    "scale",
    [np.nan, np.inf, -np.inf, 0.0, -1.0, float(FLOAT32.tiny) / 2, float(FLOAT32.max) / 254],
)
def test_an_int8_scale_that_is_not_usable_is_refused(scale: float) -> None:
    params = np.array([scale], "<f4").tobytes() + b"\0"
    with pytest.raises(ContentError, match=r"scale .* is not a usable number"):
        NAMES["int8"].decode(params, bytes(3), (3,))


@pytest.mark.parametrize("name", ["float16", "float16+zstd"])
@pytest.mark.parametrize("value", [65520, -65520, 1e30])
def test_a_number_above_float16_is_refused(name: str, value: float) -> None:
    with pytest.raises(ContentError, match="infinity"):
        NAMES[name].encode(np.array([1, value], np.float32))


def test_the_largest_float16_is_carried() -> None:
    largest = np.array([65504, -65504], np.float32)
    np.testing.assert_array_equal(there_and_back(NAMES["float16"], largest), largest)


def test_a_range_too_wide_for_int8_is_refused() -> None:
    with pytest.raises(ContentError, match="too wide for int8"):
        NAMES["int8"].encode(np.array([-FLOAT32.max, FLOAT32.max], np.float32))


def test_the_widest_range_of_int8_comes_back_finite() -> None:
    widest = np.array([0, FLOAT32.max], np.float32)
    assert there_and_back(NAMES["int8"], widest).tolist() == widest.tolist()


# --- the registry -----------------------------------------------------------------------------------------------------


def subclasses(root: type[Codec]) -> Iterator[type[Codec]]:
    for child in root.__subclasses__():
        yield child
        yield from subclasses(child)


def test_every_kind_of_codec_is_registered() -> None:
    assert {type(codec) for codec in CODECS.values()} == {
        kind
        for kind in subclasses(Codec)
        if kind.__module__.startswith("shared.")  # other tests have their own
    }


def test_ids_and_names_are_unique_and_fit_their_fields() -> None:
    assert all(codec.id == key for key, codec in CODECS.items())
    assert {codec.name: codec for codec in CODECS.values()} == NAMES
    assert len(NAMES) == len(CODECS)
    assert all(1 <= key <= 0xFFFF for key in CODECS)


def test_ids_are_for_ever() -> None:
    assert {codec.name: codec.id for codec in CODECS.values()} == {
        "float32": 1, "float32+zstd": 2, "float16": 3, "float16+zstd": 4, "int8": 5, "int8+zstd": 6,
        "calibrated": 16,
        "raw": 64, "png": 65, "jpeg": 66, "webp": 67,
    }  # fmt: skip


@every_codec
def test_a_codec_is_found_by_its_id(codec: Codec) -> None:
    assert codec_by_id(codec.id) is codec


def test_an_unknown_id_is_refused_with_the_known_ones() -> None:
    with pytest.raises(CodecError, match="99") as refusal:
        codec_by_id(99)
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


@every_codec
def test_what_made_codecs_write_the_registered_ones_read(codec: Codec) -> None:
    for option, value in codec.options().items():
        made = make_codec(f"{codec.name}:{option}={min(value + 1, 2):g}")
        array = tensor((4, 6, 6)) if codec.carries == "tensor" else picture(16, 16)
        params, payload = made.encode(array)
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
        tensor((32, 14, 14), seed=seed) if codec.carries == "tensor" else picture(48, 48, seed=seed)
        for seed in range(40)
    ]
    expected = [there_and_back(codec, array) for array in arrays]
    with ThreadPoolExecutor(8) as pool:
        results = list(pool.map(lambda array: there_and_back(codec, array), arrays))
    for result, array in zip(results, expected, strict=True):
        np.testing.assert_array_equal(result, array)
