"""The network that a cloud runs, loaded and ready."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING, Any, Self

from cloud.batching.tails import Tails
from shared.load import load_network
from shared.network.weights import NAMED_SECONDS
from shared.tasks.classify import Classify

if TYPE_CHECKING:
    from cloud.config import CloudSettings
    from cloud.metrics import CloudMetrics
    from shared.engines import Engine
    from shared.network.model import Model
    from shared.network.partition import Partition, SplitPoint
    from shared.tasks.base import Task


@dataclass(frozen=True)
class LoadedNetwork:
    """One network with an engine that runs its tails."""

    model: Model
    partition: Partition
    engine: Engine
    tails: Tails
    default: SplitPoint
    """Where JSON crosses that names no split point."""

    @classmethod
    def from_settings(
        cls, settings: CloudSettings, metrics: CloudMetrics, *, threads: int, tail_workers: int
    ) -> Self:
        """Load the network that the settings name and compile its default tail; takes seconds.

        Raises StartupError or SplitPointError.
        """
        network = load_network(
            settings,
            metrics,
            "tail",
            weights=settings.weights,
            seed=settings.seed,
            patience_s=NAMED_SECONDS,
            threads=threads,
            streams=tail_workers,
        )
        network.engine.tail(network.point)
        tails = Tails(network.partition, network.engine)
        return cls(network.model, network.partition, network.engine, tails, network.point)

    def task(self, top: int) -> Task:
        """The task whose answers name the `top` most probable classes."""
        return Classify(self.model.labels, top)

    def shapes(self) -> dict[str, tuple[int, ...]]:
        """The shape of what crosses at each split point, without the batch dimension."""
        return {name: point.shape for name, point in self.partition.points.items()}

    def describe(self) -> dict[str, Any]:
        """What `GET /model` says of it."""
        model = self.model
        return {
            "model": model.name,
            "weights": model.weights,
            "fingerprint": model.fingerprint.hex(),
            "classes": len(model.labels),
            "engine": self.engine.describe(),
            "preprocessing": {
                "resize": model.recipe.resize,
                "crop": model.recipe.crop,
                "mean": model.recipe.mean,
                "std": model.recipe.std,
                "interpolation": model.recipe.interpolation,
            },
            "default_split_point": self.default.name,
            "split_points": {name: list(shape) for name, shape in self.shapes().items()},
        }
