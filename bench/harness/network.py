"""The network as the workers load it. Import it after the threads are limited: it brings torch."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.frames.preprocess import Preprocess
from edge.sources.registry import open_source
from shared.engines import make_engine
from shared.network.model import load_model
from shared.network.partition import Partition
from shared.settings import CommonSettings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from bench.harness.system import Setup
    from shared.engines import Engine
    from shared.network.model import Model


@dataclass(frozen=True)
class Network:
    """A classifier, its split points, and frames for it."""

    model: Model
    partition: Partition
    setup: Setup

    def engine(self, name: str | None = None, precision: str | None = None) -> Engine:
        """An engine of this name and precision, by default the setup's. Raises StartupError."""
        return make_engine(
            self.partition,
            self.model,
            name=name or self.setup.engine or "auto",
            precision=precision or self.setup.precision or "auto",
            threads=self.setup.threads or 0,
            cache_dir=CommonSettings.model_fields["cache_dir"].default,  # as edge and cloud
        )

    def tensors(self) -> Iterator[NDArray[np.float32]]:  # each (1, 3, crop, crop)
        """The source's frames as the network takes them, again from the first when it ends."""
        preprocess = Preprocess(self.model.recipe)
        while True:
            for frame in frames_of(self.setup.source):
                yield self.model.recipe.normalise(preprocess(frame))[None]

    def picture(self, path: Path) -> NDArray[np.uint8]:  # (crop, crop, 3) RGB
        """One picture file as the edge prepares it."""
        return Preprocess(self.model.recipe)(next(frames_of(str(path))))


def load_network(setup: Setup, architecture: str = "resnet50") -> Network:
    """The network that edge and cloud run, in this process. Raises ModelError."""
    model = load_model(architecture, setup.weights)
    return Network(model, Partition(model.network, model.recipe.tensor_shape), setup)


def frames_of(source: str) -> Iterator[NDArray[np.uint8]]:  # each (H, W, 3) BGR
    """All frames of a source, as the edge reads them."""
    reader = open_source(source, open_timeout_s=10, read_timeout_s=10)
    reader.open()
    try:
        while (frame := reader.read()) is not None:
            yield frame
    finally:
        reader.close()
