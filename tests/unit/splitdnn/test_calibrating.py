"""`splitdnn bundle` reads pictures to calibrate on as the edge reads its own."""

from __future__ import annotations

import sys
from typing import TYPE_CHECKING

import pytest
from kits import quantised
from PIL import Image

from shared.errors import SettingsError, SourceError
from shared.network.recipe import Recipe
from splitdnn.calibrating import read_pictures

if TYPE_CHECKING:
    from pathlib import Path

RECIPE = Recipe(width=16, height=12, mean=(0.5, 0.5, 0.5), std=(0.5, 0.5, 0.5))


def test_a_folder_of_pictures_comes_as_the_network_takes_them(tmp_path: Path) -> None:
    for number, picture in enumerate(quantised.pictures(9)):
        Image.fromarray(picture).save(tmp_path / f"{number}.png")
    told: list[int] = []
    found = read_pictures(str(tmp_path), RECIPE, 6, told.append)
    assert [picture.shape for picture in found] == [(12, 16, 3)] * 6
    assert told == sorted(told)
    assert told[0] == 1


def test_a_source_that_is_not_there_is_named(tmp_path: Path) -> None:
    with pytest.raises(SourceError, match="nothing"):
        read_pictures(str(tmp_path / "nothing"), RECIPE, 6, lambda _: None)


def test_without_opencv_the_line_says_what_to_install(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(
        sys.modules, "edge.calibration.pictures", None
    )  # as where what it imports is not there
    with pytest.raises(SettingsError, match=r"pip install 'splitdnn\[edge\]'"):
        read_pictures("photographs", RECIPE, 6, lambda _: None)
