"""Pictures of all sizes fitted to the network's; Pillow, and torch where it is installed, are the oracles."""

from __future__ import annotations

import itertools
import tracemalloc
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from kits.naming import naming
from PIL import Image

from shared.network.recipe import Recipe
from shared.network.recipes.resample import resample
from shared.network.recipes.resize import fit_picture
from shared.network.recipes.weights import Span

PHOTOGRAPHS = Path(__file__).parents[6] / "shared/images"
HALF = ((0.5, 0.5, 0.5), (0.5, 0.5, 0.5))
FILTERS = {
    "box": Image.Resampling.BOX,
    "bilinear": Image.Resampling.BILINEAR,
    "bicubic": Image.Resampling.BICUBIC,
    "lanczos": Image.Resampling.LANCZOS,
}
SIZES = [
    ((720, 1280), (256, 455)),
    ((480, 640), (256, 341)),
    ((321, 180), (228, 128)),
    ((97, 101), (96, 100)),
    ((30, 31), (256, 264)),
    ((100, 80), (320, 256)),
    ((240, 320), (240, 320)),
    ((1, 9), (64, 256)),
    ((9, 1), (1, 1)),
    ((1, 1), (50, 40)),
    ((700, 3), (224, 224)),
    ((2000, 125), (16, 1)),
]


def noise(height: int, width: int) -> np.ndarray:
    return np.random.default_rng(0).integers(0, 256, (height, width, 3), dtype=np.uint8)


def black_and_white(height: int, width: int) -> np.ndarray:
    """Where a rounded or clipped value shows most."""
    return (noise(height, width) > 127).astype(np.uint8) * 255


def smooth(height: int, width: int) -> np.ndarray:
    """Structure at every scale, so that a shift of a fraction of a pixel would show."""
    rows, columns = np.mgrid[0:height, 0:width].astype(np.float64)
    waves = [128 + 100 * np.sin(rows / a + columns / b) for a, b in ((3, 11), (17, 5), (29, 41))]
    return np.stack(waves, axis=-1).astype(np.uint8)


def whole(picture: np.ndarray, to: tuple[int, int], interpolation: str) -> np.ndarray:
    rows, columns = (Span(old, new, 0, new) for old, new in zip(picture.shape[:2], to, strict=True))
    return resample(picture, rows, columns, interpolation)


def by_torch(picture: np.ndarray, to: tuple[int, int], interpolation: str) -> np.ndarray:
    torch: Any = pytest.importorskip("torch")
    tensor = torch.from_numpy(np.ascontiguousarray(picture))[None].permute(0, 3, 1, 2)
    resized = torch.nn.functional.interpolate(
        tensor, size=to, mode=interpolation, align_corners=False, antialias=True
    )
    return resized[0].permute(1, 2, 0).numpy()


# --- resampling -------------------------------------------------------------------------------------------------------


def test_equals_pillow_in_one_direction_after_the_other() -> None:
    for case in itertools.product(SIZES[1:], FILTERS, (noise, black_and_white)):
        ((height, width), to), interpolation, draw = case
        picture = draw(height, width)
        # Pillow 13 begins with the direction that leaves fewer pixels; this module always with the columns.
        wide = Image.fromarray(picture).resize((to[1], height), FILTERS[interpolation])
        expected = np.asarray(wide.resize(to[::-1], FILTERS[interpolation]))
        found = whole(picture, to, interpolation)
        with naming(*case):
            assert (found.shape, found.dtype, found.flags.c_contiguous) == (expected.shape, np.uint8, True)
            difference = np.abs(found.astype(np.int16) - expected)
            # A value that was rounded otherwise after the first direction counts for more than one after the second.
            assert difference.max() <= 1 + (interpolation in {"bicubic", "lanczos"})
            assert (difference > 1).mean() < 1e-4
            assert difference.mean() < 0.07


def test_equals_what_torch_did_before() -> None:
    """To the bit, except where more than two pixels or so become one: there within one level, in few values."""
    for case in itertools.product(SIZES, ("bilinear", "bicubic"), (noise, black_and_white, smooth)):
        ((height, width), to), interpolation, draw = case
        picture = draw(height, width)
        difference = np.abs(
            whole(picture, to, interpolation).astype(np.int16) - by_torch(picture, to, interpolation)
        )
        reduced = max(height / to[0], width / to[1])
        with naming(*case):
            assert difference.max() <= (reduced > 2.5)
            assert (difference > 0).mean() < 0.03


def test_photographs_equal_what_torch_did_before() -> None:
    photographs = sorted(PHOTOGRAPHS.glob("*.jpg"))[:8]
    if not photographs:
        pytest.skip("no photographs in ../shared")
    for path, interpolation in itertools.product(photographs, ("bilinear", "bicubic")):
        with Image.open(path) as image:
            picture = np.array(image.convert("RGB"))
        recipe = Recipe(224, 224, *HALF, interpolation, resize=256)
        place = recipe.placement(*picture.shape[:2])
        before = by_torch(picture, (place.rows, place.columns), interpolation)
        top, left = place.first_row, place.first_column
        difference = np.abs(
            fit_picture(picture, recipe).astype(np.int16) - before[top : top + 224, left : left + 224]
        )
        with naming(path.name, interpolation):
            assert difference.max() <= 1
            assert difference.mean() < 0.01


def test_nearest_takes_the_pixel_under_each_ones_middle() -> None:
    picture = np.arange(5, dtype=np.uint8)[None, :, None].repeat(3, 2)
    for scaled, expected in (
        (5, [0, 1, 2, 3, 4]),
        (2, [1, 3]),
        (3, [0, 2, 4]),
        (10, sorted([*range(5)] * 2)),
    ):
        with naming(scaled):
            assert whole(picture, (1, scaled), "nearest")[0, :, 0].tolist() == expected


def test_a_part_is_that_part_of_the_whole() -> None:
    """To the bit: what is not looked at changes nothing."""
    for interpolation in ("nearest", *FILTERS):
        picture = noise(301, 403)
        expected = whole(picture, (97, 130), interpolation)[11:75, 20:121]
        rows, columns = Span(301, 97, 11, 64), Span(403, 130, 20, 101)
        with naming(interpolation):
            np.testing.assert_array_equal(resample(picture, rows, columns, interpolation), expected)


def test_an_even_picture_stays_as_it_is() -> None:
    for interpolation, value, to in itertools.product(FILTERS, (0, 1, 254, 255), ((7, 5), (300, 40), (1, 1))):
        picture = np.full((200, 150, 3), value, np.uint8)
        with naming(interpolation, value, to):
            assert (whole(picture, to, interpolation) == value).all()


# --- fitting ----------------------------------------------------------------------------------------------------------


def test_read_only_reversed_and_strided_pictures_are_fitted_as_they_look() -> None:
    recipe = Recipe(20, 16, *HALF)
    picture = noise(60, 90)
    locked = picture.copy()
    locked.setflags(write=False)
    np.testing.assert_array_equal(fit_picture(locked, recipe), fit_picture(picture, recipe))
    for view in (picture[:, :, ::-1], picture[::-1], picture[:, ::2], picture[5:, 3:]):
        np.testing.assert_array_equal(fit_picture(view, recipe), fit_picture(view.copy(), recipe))
    np.testing.assert_array_equal(
        fit_picture(picture[:, :, ::-1], recipe), fit_picture(picture, recipe)[:, :, ::-1]
    )


def test_letterbox_pads_with_its_grey_and_crop_with_black() -> None:
    picture = np.full((10, 20, 3), 200, np.uint8)
    boxed = fit_picture(picture, Recipe(8, 9, *HALF, fit="letterbox", pad=77))
    assert boxed[:, 0, 0].tolist() == [77, 77, 200, 200, 200, 200, 77, 77, 77]
    cropped = fit_picture(picture, Recipe(8, 8, *HALF, resize=5))
    assert cropped[:, 4, 0].tolist() == [0, 200, 200, 200, 200, 200, 0, 0]
    stretched = fit_picture(picture, Recipe(3, 9, *HALF, fit="stretch"))
    assert (stretched.shape, stretched.min()) == ((9, 3, 3), 200)


def test_a_picture_of_the_networks_size_is_not_touched() -> None:
    picture = noise(9, 7)
    for fit in ("crop", "stretch", "letterbox"):
        with naming(fit):
            assert np.shares_memory(fit_picture(picture, Recipe(7, 9, *HALF, fit=fit)), picture)


def test_a_picture_far_longer_than_wide_is_cut_before_it_is_resized() -> None:
    """Resized whole, a row of 65,000 pixels would be 10 GB; nothing of that but the middle is looked at."""
    for shape, fit in itertools.product(
        [(1, 65_000), (65_000, 1), (30, 20_000)], ("crop", "stretch", "letterbox")
    ):
        picture = np.zeros((*shape, 3), np.uint8)
        middle = tuple(slice(max(0, side // 2 - 8), side // 2 + 8) for side in shape)
        picture[middle] = 200
        tracemalloc.start()
        found = fit_picture(picture, Recipe(224, 224, *HALF, fit=fit))
        peak = tracemalloc.get_traced_memory()[1]
        tracemalloc.stop()
        with naming(shape, fit):
            assert found.shape == (224, 224, 3)
            assert found[112, 112].tolist() == [200, 200, 200]
            assert peak < 16_000_000
