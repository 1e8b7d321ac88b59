"""Helpers of the parity tests: real weights and photographs, if present, pictures, and what a right cut must satisfy."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

import numpy as np
import torch
from PIL import Image

from shared.network.choice import NetworkChoice
from shared.network.partition import OUTPUT
from shared.network.recipe import Recipe
from shared.torch_network.network import TorchNetwork
from shared.torch_network.source import build
from shared.torch_network.vision import InterpolationMode, get_model, transforms

if TYPE_CHECKING:
    from collections.abc import Iterable

    from shared.network.partition import Partition, SplitPoint
    from shared.torch_network.partition import TorchPartition

DATA = Path(__file__).resolve().parents[3] / "shared"
"""Beside the project, see DATA.md there; never part of it."""
WEIGHTS = DATA / "weights"
PHOTOGRAPHS = sorted((DATA / "images").glob("*.jpg"))
TOLERANCE = 1e-5
"""Largest difference between the logits of head and tail and those of the whole network, which are of size one."""


def network_of(name: str, weights: str = "random") -> TorchNetwork:
    """A torchvision classifier."""
    return build(NetworkChoice(name, weights))


def photograph(path: Path, recipe: Recipe) -> np.ndarray:
    """Resized, cropped and normalised as the weights prescribe."""
    with Image.open(path) as image:
        resized = transforms.resize(
            image.convert("RGB"), [recipe.resize], InterpolationMode(recipe.interpolation)
        )
    return recipe.normalise(np.asarray(transforms.center_crop(resized, [recipe.height, recipe.width])))


def small_vit() -> TorchNetwork:
    """For pictures of half the side: the same operations with a quarter of the work."""
    recipe = Recipe(112, 112, (0.5, 0.5, 0.5), (0.25, 0.25, 0.25), "bilinear")
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        network = get_model("vit_b_16", weights=None, image_size=recipe.width).eval()
        # Without training its classifier is nothing but zeros, and any tail would agree.
        torch.nn.init.normal_(network.heads.head.weight, std=0.05)
    return TorchNetwork(
        name="vit_b_16",
        weights="random",
        module=network.requires_grad_(requires_grad=False),
        recipe=recipe,
        labels=tuple(f"class {number}" for number in range(1000)),
        source={"kind": "torchvision", "model": "vit_b_16", "weights": "random", "seed": 0, "recipe": None},
        fingerprint=bytes(8),
        notes=(),
    )


def patterns(side: int, rows: int) -> np.ndarray:
    """(rows, 3, side, side), unlike each other in colour, contrast and detail: a random network computes nearly the same from similar ones."""
    random = np.random.default_rng(3)
    y, x = np.mgrid[0:side, 0:side] / side
    pictures = []
    for row in range(rows):
        waves = [
            np.sin((3 + 5 * row) * x * (1 + colour) + row) * np.cos((2 + 4 * row) * y + colour)
            for colour in range(3)
        ]
        noise = random.normal(size=(3, side, side))
        pictures.append((0.5 + row) * np.stack(waves) + (0.2 + 0.5 * row) * noise + 0.7 * (row - 1))
    return np.stack(pictures).astype(np.float32)


def spread(partition: Partition, count: int) -> list[SplitPoint]:
    """`count` points from `input` to `output` and the default one, in the network's order."""
    points = list(partition.points.values())
    places = np.linspace(0, len(points) - 1, count).round().astype(int)
    chosen = {points[place] for place in places}
    assert len(chosen) == count
    return sorted({*chosen, partition.default()}, key=points.index)


def tail_of(partition: TorchPartition, point: SplitPoint) -> torch.nn.Module:
    """The tail, also at `output`, where it computes nothing."""
    return _Nothing() if point.name == OUTPUT else partition.tail(point)


class _Nothing(torch.nn.Module):
    def forward(self, *tensors: torch.Tensor) -> tuple[torch.Tensor, ...]:
        return tensors


def assert_parity(
    partition: TorchPartition, pictures: torch.Tensor, logits: torch.Tensor, points: Iterable[SplitPoint]
) -> None:
    """At these points: shapes as declared, arguments left unchanged, and `logits`, those of the whole network."""
    untouched = pictures.clone()
    for point in points:
        head, tail = partition.head(point), tail_of(partition, point)
        with torch.no_grad():
            (crossing,) = head(pictures)
            assert torch.equal(pictures, untouched), f"the head of {point.name} wrote into its input"
            assert crossing.shape == (len(pictures), *point.shape), point.name
            assert crossing.dtype == torch.float32, point.name
            assert not torch.equal(crossing[0], crossing[1]), f"at {point.name} the two pictures look alike"
            sent = crossing.clone()
            (got,) = tail(crossing)
        assert torch.equal(crossing, sent), f"the tail of {point.name} wrote into its input"
        assert torch.equal(pictures, untouched), f"the tail of {point.name} wrote into the picture"
        difference = (got - logits).abs().max().item()
        assert difference <= TOLERANCE, f"{point.name}: off by {difference:g}"
