"""Every codec for pictures: what comes back, how exactly, and what is refused."""

from __future__ import annotations

import numpy as np
import pytest
from kits.codecs import PICTURE_CODECS, picture, there_and_back
from kits.naming import naming

from shared.codecs import NAMES, Codec, make_codec
from shared.errors import ContentError

every_codec = pytest.mark.parametrize("codec", PICTURE_CODECS, ids=lambda codec: codec.name)


@pytest.mark.parametrize("name", ["raw", "png"])
def test_raw_and_png_are_lossless(name: str) -> None:
    for size in [(8, 8), (1, 1), (13, 5), (224, 224)]:
        noise = np.random.default_rng(0).integers(0, 256, (*size, 3), dtype=np.uint8)
        result = there_and_back(NAMES[name], noise)
        assert result.dtype == np.uint8
        np.testing.assert_array_equal(result, noise, str(size))


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


@every_codec
def test_a_picture_of_any_size_comes_back_in_it(codec: Codec) -> None:
    for size in [(1, 1), (1, 2), (2, 1), (13, 5), (17, 33)]:
        result = there_and_back(codec, picture(*size))
        assert (result.shape, result.dtype) == ((*size, 3), np.uint8)


def test_a_picture_too_long_for_its_format_is_refused_by_name() -> None:
    for name, size in [("webp", (16384, 1)), ("webp", (1, 16384)), ("jpeg", (1, 65501))]:
        with naming(name, size), pytest.raises(ContentError, match=f"no {name} holds a picture of shape"):
            NAMES[name].encode(np.zeros((*size, 3), np.uint8))


def test_the_largest_webp_is_carried() -> None:
    assert there_and_back(NAMES["webp"], np.zeros((1, 16383, 3), np.uint8)).shape == (1, 16383, 3)


@every_codec
def test_a_picture_that_is_a_view_is_encoded_as_it_looks(codec: Codec) -> None:
    mirrored = picture(16, 12)[:, ::-1]
    assert codec.encode(mirrored) == codec.encode(mirrored.copy())


def test_a_raw_payload_has_the_size_its_table_says() -> None:
    assert len(NAMES["raw"].encode(picture()).payload) == picture().size
