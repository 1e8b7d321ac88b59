"""The table of `--list-split-points`."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.network import model as models
from shared.network.partition import Partition

if TYPE_CHECKING:
    from edge.config import EdgeSettings


def list_split_points(settings: EdgeSettings) -> str:
    """Of the network that the settings name."""
    # Where a network can be cut does not depend on its weights, so nothing is fetched for the default choice.
    weights = "random" if settings.weights == "auto" else settings.weights
    model = models.load_model(settings.model, weights)
    return describe_split_points(Partition(model.network, model.recipe.tensor_shape))


def describe_split_points(partition: Partition) -> str:
    """A table of every split point: name, shape, elements, float32 bytes, millions of MACs on each side."""
    width = max(len(name) for name in partition.points)
    lines = [
        f"{'split point':<{width}}  {'shape':<16}{'elements':>10}{'float32 B':>12}{'head MMACs':>12}{'tail MMACs':>12}"
    ]
    lines += [
        f"{point.name:<{width}}  {'x'.join(map(str, point.shape)):<16}{point.elements:>10}{point.float32_bytes:>12}"
        f"{point.head_macs / 1e6:>12.1f}{point.tail_macs / 1e6:>12.1f}"
        for point in partition.points.values()
    ]
    return "\n".join(lines)
