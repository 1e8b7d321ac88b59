"""A network that a cloud runs, loaded and ready."""

from __future__ import annotations

import contextlib
from dataclasses import dataclass, field
from typing import TYPE_CHECKING, Any, NamedTuple, Self

from cloud.access.refusals import OverQuotaError
from cloud.batching.tails import Tails
from cloud.bodies.json.body import public_shape
from cloud.networks.files import BundleFiles
from cloud.networks.legs import Legs
from cloud.networks.usage import Usage
from shared.engines.load import load_network
from shared.errors import ContentError, ModelError, SplitPointError
from shared.network.choice import NAMED_SECONDS
from shared.network.labels import labels_sha256
from shared.network.partition import OUTPUT
from shared.network.stage_ends import stage_ends
from shared.observing.telemetry import export_build_info
from shared.tasks.registry import make_task
from shared.tasks.spec import Wanted

if TYPE_CHECKING:
    from collections.abc import Sequence

    from cloud.bodies.json.body import Shapes
    from cloud.config import CloudSettings
    from cloud.metrics import CloudMetrics
    from shared.engines import Engine
    from shared.engines.load import Network
    from shared.network.model import Model
    from shared.network.partition import Partition, SplitPoint
    from shared.tasks.base import Task


@dataclass(frozen=True, eq=False)
class LoadedNetwork:
    """One network with an engine that runs its tails. Two are the same only if they are one object."""

    network: Network
    tails: Tails
    labels_sha256: str
    """SHA-256 of the labels' JSON list: edge and cloud compare them."""
    files: BundleFiles | None = None
    """What clients may fetch; None if they may not."""
    usage: Usage = field(default_factory=Usage)

    @classmethod
    def load(
        cls,
        settings: CloudSettings,
        metrics: CloudMetrics,
        *,
        threads: int,
        tail_workers: int,
        alike: tuple[str, str] | None = None,
    ) -> Self:
        """Load the network that the settings name and compile its default tail, and those that they list; takes seconds.

        `alike` is `load_network`'s. Raises StartupError or SplitPointError.
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
            alike=alike,
        )
        make_task(network.model, Wanted())  # raises if this side cannot read what the network says
        files = BundleFiles(network.bundle) if settings.serve_bundle else None
        for name in dict.fromkeys([network.point.name, *settings.own_tails()]):
            network.engine.tail(network.partition.point(name))
        tails = Tails(
            network.partition,
            network.engine,
            everywhere=settings.served_split_points == "all",
            one_thread=tail_workers == 1,
            legs=Legs(network.partition, network.engine, network.point) if settings.legs else None,
        )
        return cls(network, tails, labels_sha256(network.model.labels), files)

    @property
    def model(self) -> Model:
        """What both sides know of it."""
        return self.network.model

    @property
    def partition(self) -> Partition:
        """Its split points."""
        return self.network.partition

    @property
    def engine(self) -> Engine:
        """What runs its tails."""
        return self.network.engine

    @property
    def default(self) -> SplitPoint:
        """Where JSON crosses that names no split point."""
        return self.network.point

    @property
    def digest(self) -> str:
        """That of the bundle that was asked for: two bundles of one fingerprint may still differ in labels or name."""
        return self.network.digest

    def ends(self) -> list[SplitPoint]:
        """The split points that are worth choosing from."""
        return stage_ends(self.partition.points.values())

    def prepare(self, names: Sequence[str], *, chained: bool) -> None:
        """Make the tails ready at those of the split points `names` that this network has, so that no frame waits for it.

        `chained`: those that planners choose from as well. Raises EngineError.
        """
        if chained:
            self.tails.make_ready(self.ends())
        for name in names:
            if name in self.partition.points:
                with contextlib.suppress(OverQuotaError, SplitPointError):  # then its frames are told
                    self.tails.prepare(name)

    def task(self, wanted: Wanted) -> Task:
        """The task, which gives the answers that are `wanted`. Raises ContentError if a task of another package cannot."""
        try:
            return make_task(self.model, wanted)
        except ModelError as error:
            raise ContentError(str(error)) from error

    def shapes(self) -> Shapes:
        """The shapes of what crosses, without the batch dimension, at each split point where a request may begin."""
        return {
            name: point.shapes
            for name, point in self.partition.points.items()
            if name != OUTPUT or len(point.shapes) == 1
        }

    def export_build_info(self, metrics: CloudMetrics) -> None:
        """Say in `splitdnn_build_info` that this one is the current network."""
        export_build_info(
            metrics.registry,
            "cloud",
            model=self.model.name,
            weights=self.model.weights,
            fingerprint=self.model.fingerprint.hex(),
            device=self.engine.device,
            engine=self.engine.name,
            precision=self.engine.precision,
        )

    def describe(self) -> dict[str, Any]:
        """What `GET /model` says of it."""
        model = self.model
        return {
            "model": model.name,
            "weights": model.weights,
            "fingerprint": model.fingerprint.hex(),
            "task": model.task.name,
            "classes": len(model.labels),
            "labels_sha256": self.labels_sha256,
            "outputs": list(model.outputs),
            "engine": {**self.engine.describe(), "choice": self.engine.choice},
            "preprocessing": model.recipe.public(),
            "default_split_point": self.default.name,
            "split_points": {name: public_shape(shapes) for name, shapes in self.shapes().items()},
            "bundle": {
                "served": self.files is not None,
                "bytes": sum(entry.bytes for entry in self.network.bundle.manifest.files.values()),
            },
        }


class Tail(NamedTuple):
    """The tail that a frame needs. Frames of one tail may share a batch."""

    network: LoadedNetwork
    split_point: str
