"""What the parity tests share: real weights and photographs, where they are."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from shared.network.vision import InterpolationMode, transforms

if TYPE_CHECKING:
    from shared.network.recipe import Recipe

DATA = (
    Path(__file__).resolve().parents[3] / "shared"
)  # beside the project, see DATA.md there; never part of it
WEIGHTS = DATA / "weights"
PHOTOGRAPHS = sorted((DATA / "images").glob("*.jpg"))


def photograph(path: Path, recipe: Recipe) -> np.ndarray:
    """Resized, cropped and normalised as the weights prescribe."""
    with Image.open(path) as image:
        resized = transforms.resize(
            image.convert("RGB"), [recipe.resize], InterpolationMode(recipe.interpolation)
        )
    return recipe.normalise(np.asarray(transforms.center_crop(resized, [recipe.crop])))
