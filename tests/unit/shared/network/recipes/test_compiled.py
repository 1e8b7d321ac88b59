"""The compiled library gives numpy's bytes, at every level of instructions, or leaves the picture to numpy."""

import ctypes
from pathlib import Path

import numpy as np
import pytest

from shared.network.recipe import Recipe
from shared.network.recipes import compiled, resample
from shared.network.recipes.native import library as native
from shared.network.recipes.weights import FILTERS, Span


@pytest.fixture
def levels():
    found = native.library()
    if not found:
        pytest.skip("no library for this machine")
    return found


@pytest.fixture
def pictures():
    """Noise, and the hardest edges that there are."""
    draw = np.random.default_rng(5)
    found = []
    for number in range(60):
        height, width = draw.integers(1, 300, 2)
        picture = draw.integers(0, 256, (height, width, 3), dtype=np.uint8)
        found.append(np.where(picture > 127, 255, 0).astype(np.uint8) if number % 2 else picture)
    return found


def spans(draw, picture):
    for length in picture.shape[:2]:
        scaled = int(draw.integers(30, 200))
        first = int(draw.integers(0, scaled // 3))
        yield Span(length, scaled, first, int(draw.integers(scaled // 2, scaled - first + 1)))


def test_every_level_gives_numpys_pixels(levels, pictures, monkeypatch):
    draw, compared = np.random.default_rng(6), 0
    for picture in pictures:
        rows, columns = spans(draw, picture)
        for name in FILTERS:
            expected = resample._multiplied(picture, rows, columns, name)
            for number, level in enumerate(levels):
                monkeypatch.setattr(compiled, "library", lambda number=number: levels[: number + 1])
                found = compiled.resampled(picture, rows, columns, name)
                if found is not None:
                    compared += 1
                    np.testing.assert_array_equal(
                        found, expected, err_msg=f"{level.name} {name} {rows} {columns}"
                    )
    assert compared > 100 * len(levels)


def test_a_view_of_a_larger_picture_is_taken_as_it_lies(levels):
    whole = np.random.default_rng(7).integers(0, 256, (120, 200, 3), dtype=np.uint8)
    part, rows, columns = whole[10:110, 20:180], Span(100, 60, 3, 50), Span(160, 96, 5, 80)
    found = compiled.resampled(part, rows, columns, "bilinear")
    np.testing.assert_array_equal(found, resample._multiplied(part.copy(), rows, columns, "bilinear"))
    assert compiled.resampled(part[:, ::2], rows, Span(80, 96, 5, 80), "bilinear") is None


def test_what_the_library_is_not_made_for_is_left_to_numpy(levels, monkeypatch):
    wide, square = Span(90, 60, 0, 60), np.zeros((90, 90, 3), np.uint8)
    assert compiled.resampled(square, wide, wide, "bilinear") is not None
    assert compiled.resampled(square[:, :, :1], wide, wide, "bilinear") is None
    assert compiled.resampled(square, wide, Span(90, 60, 0, 15), "bilinear") is None
    monkeypatch.setattr(compiled, "library", tuple)
    assert compiled.resampled(square, wide, wide, "bilinear") is None
    assert resample.resample(square, wide, wide, "bilinear").shape == (60, 60, 3)


def test_a_picture_becomes_the_same_numbers_with_and_without_the_library(levels, monkeypatch):
    picture = np.random.default_rng(8).integers(0, 256, (33, 47, 3), dtype=np.uint8)
    for channels in ("RGB", "BGR", "GRAY"):
        recipe = Recipe(47, 33, (0.485, 0.456, 0.406), (0.229, 0.224, 0.225), channels=channels)
        with_library = recipe.normalise(picture)
        with monkeypatch.context() as without:
            without.setattr(compiled, "library", tuple)
            np.testing.assert_array_equal(with_library, recipe.normalise(picture), err_msg=channels)
        backwards = np.ascontiguousarray(picture[::-1])[::-1]
        np.testing.assert_array_equal(with_library, recipe.normalise(backwards), err_msg=channels)


def test_a_library_of_other_functions_or_structures_is_not_used(levels, monkeypatch, caplog):
    class Longer(ctypes.Structure):
        _fields_ = (*native.Axis._fields_, ("more", ctypes.c_void_p))

    try:
        for name, other in (("ABI", native.ABI + 1), ("Axis", Longer), ("FOLDER", Path("nowhere"))):
            caplog.clear()
            native.library.cache_clear()
            with monkeypatch.context() as changed:
                changed.setattr(native, name, other)
                assert native.library() == ()
            (line,) = caplog.messages
            assert line.startswith(
                "pictures are resized without the compiled library, several times slower: "
            )
    finally:
        native.library.cache_clear()
