"""Helpers of the parity tests: real weights and photographs, if present, and what a right cut must satisfy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image

from shared.network.vision import InterpolationMode, transforms

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shared.network.partition import Partition, SplitPoint
    from shared.network.recipe import Preprocessing

DATA = Path(__file__).resolve().parents[3] / "shared"
"""Beside the project, see DATA.md there; never part of it."""
WEIGHTS = DATA / "weights"
PHOTOGRAPHS = sorted((DATA / "images").glob("*.jpg"))
TOLERANCE = 1e-5
"""Largest difference between the logits of head and tail and those of the whole network, which are of size one."""


def photograph(path: Path, recipe: Preprocessing) -> np.ndarray:
    """Resized, cropped and normalised as the weights prescribe."""
    with Image.open(path) as image:
        resized = transforms.resize(
            image.convert("RGB"), [recipe.resize], InterpolationMode(recipe.interpolation)
        )
    return recipe.normalise(np.asarray(transforms.center_crop(resized, [recipe.crop])))


def spread(partition: Partition, count: int) -> list[SplitPoint]:
    """`count` points from `input` to `output` and the default one, in the network's order."""
    points = list(partition.points.values())
    places = np.linspace(0, len(points) - 1, count).round().astype(int)
    chosen = {points[place] for place in places}
    assert len(chosen) == count
    return sorted({*chosen, partition.default()}, key=points.index)


def assert_parity(
    partition: Partition, pictures: torch.Tensor, logits: torch.Tensor, points: Iterable[SplitPoint]
) -> None:
    """At these points: shapes as declared, arguments left unchanged, and `logits`, those of the whole network."""
    untouched = pictures.clone()
    for point in points:
        head, tail = partition.head(point), partition.tail(point)
        with torch.no_grad():
            crossing = head(pictures)
            assert torch.equal(pictures, untouched), f"the head of {point.name} wrote into its input"
            assert crossing.shape == (len(pictures), *point.shape), point.name
            assert crossing.dtype == torch.float32, point.name
            assert not torch.equal(crossing[0], crossing[1]), f"at {point.name} the two pictures look alike"
            sent = crossing.clone()
            got = tail(crossing)
        assert torch.equal(crossing, sent), f"the tail of {point.name} wrote into its input"
        assert torch.equal(pictures, untouched), f"the tail of {point.name} wrote into the picture"
        difference = (got - logits).abs().max().item()
        assert difference <= TOLERANCE, f"{point.name}: off by {difference:g}"
