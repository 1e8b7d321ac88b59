"""Every codec for tensors: what comes back, how exactly, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
import zstandard
from hypothesis import given, settings
from hypothesis import strategies as st
from kits.codecs import TENSOR_CODECS, tensor, there_and_back
from kits.naming import naming

from shared.codecs import NAMES, Codec
from shared.errors import ContentError

FLOAT32 = np.finfo(np.float32)

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
every_codec = pytest.mark.parametrize("codec", TENSOR_CODECS, ids=lambda codec: codec.name)


def scale_of(array: np.ndarray) -> float:
    """int8's scale, by its definition: 255 steps from the least to the greatest value, zero among them."""
    low, high = min(float(array.min()), 0.0), max(float(array.max()), 0.0)
    return max((high - low) / 255, float(FLOAT32.tiny))


# --- what comes back --------------------------------------------------------------------------------------------------


@every_codec
def test_a_tensor_keeps_its_shape_and_becomes_float32(codec: Codec) -> None:
    for what, array in TENSORS.items():
        result = there_and_back(codec, array)
        assert (result.shape, result.dtype) == (array.shape, np.float32), what


@pytest.mark.parametrize("name", ["float32", "float32+zstd"])
def test_float32_is_lossless_to_the_bit(name: str) -> None:
    for what, array in TENSORS.items():
        assert there_and_back(NAMES[name], array).tobytes() == array.tobytes(), what


@pytest.mark.parametrize("name", ["float16", "float16+zstd"])
def test_float16_is_the_nearest_half(name: str) -> None:
    for what, array in TENSORS.items():
        result = there_and_back(NAMES[name], array)
        np.testing.assert_array_equal(result, array.astype(np.float16), what)
        assert np.all(np.abs(result - array) <= np.maximum(np.abs(array) * 2.0**-11, 2.0**-25)), what


@pytest.mark.parametrize("name", ["int8", "int8+zstd"])
def test_int8_is_off_by_at_most_half_a_scale(name: str) -> None:
    for what, array in TENSORS.items():
        error = np.abs(there_and_back(NAMES[name], array).astype(np.float64) - array.astype(np.float64)).max()
        assert error <= 0.5001 * scale_of(array), what  # float32 arithmetic takes the rest


finite = st.floats(width=32, allow_nan=False, allow_infinity=False, min_value=-(2.0**123), max_value=2.0**123)


@settings(deadline=None)
@given(st.lists(finite, min_size=1, max_size=40))
def test_int8_is_off_by_at_most_half_a_scale_whatever_the_numbers(values: list[float]) -> None:
    array = np.array(values, np.float32)
    error = np.abs(there_and_back(NAMES["int8"], array).astype(np.float64) - array.astype(np.float64)).max()
    assert error <= 0.5001 * scale_of(array)


@every_codec
def test_zeros_stay_zeros(codec: Codec) -> None:
    array = np.maximum(tensor((8, 6, 6), seed=4), 0) + np.where(
        tensor((8, 6, 6), seed=5) > 2, np.float32(-1), 0
    )
    zeros = array == 0
    assert zeros.sum() > 50
    assert not there_and_back(codec, array)[zeros].any()


@every_codec
def test_a_constant_stays_constant_within_rounding(codec: Codec) -> None:
    for value in (1.0, -1.0, 2.0**-10, -512.0):
        result = there_and_back(codec, np.full((5, 5), value, np.float32))
        assert len(set(result.ravel().tolist())) == 1, value
        assert result[0, 0] == pytest.approx(value, rel=1e-6)


@every_codec
def test_what_is_encoded_is_left_as_it_was(codec: Codec) -> None:
    array = tensor()
    array.setflags(write=False)
    codec.encode(array)
    np.testing.assert_array_equal(array, tensor())


@pytest.mark.parametrize(("name", "per_element"), [("float32", 4), ("float16", 2), ("int8", 1)])
def test_a_plain_payload_has_the_size_its_table_says(name: str, per_element: int) -> None:
    array = tensor()
    assert len(NAMES[name].encode(array).payload) == per_element * array.size


@pytest.mark.parametrize("name", ["float32", "float16", "int8"])
def test_zstandard_makes_the_tensor_of_a_relu_smaller(name: str) -> None:
    array = np.maximum(tensor((64, 14, 14)), 0)
    assert len(NAMES[f"{name}+zstd"].encode(array).payload) < 0.8 * len(NAMES[name].encode(array).payload)


# --- what is refused --------------------------------------------------------------------------------------------------

NOT_FINITE = (np.nan, np.inf, -np.inf)


@every_codec
def test_a_number_that_is_not_finite_is_refused_by_name_when_encoded(codec: Codec) -> None:
    for value in NOT_FINITE:
        array = tensor()
        array[1, 2, 3] = value
        with naming(value), pytest.raises(ContentError, match="NaN or infinity; accepted: finite numbers"):
            codec.encode(array)


@pytest.mark.parametrize(("name", "dtype"), [("float32", "<f4"), ("float16", "<f2")])
def test_a_number_that_is_not_finite_is_refused_by_name_when_decoded(name: str, dtype: str) -> None:
    for value in NOT_FINITE:
        payload = np.array([0, value, 1], dtype=dtype).tobytes()
        with naming(value), pytest.raises(ContentError, match="NaN or infinity; accepted: finite numbers"):
            NAMES[name].decode(b"", payload, (3,))
        with naming(value), pytest.raises(ContentError, match="NaN or infinity; accepted: finite numbers"):
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
def test_a_number_above_float16_is_refused(name: str) -> None:
    for value in (65520, -65520, 1e30):
        with naming(value), pytest.raises(ContentError, match="infinity"):
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
