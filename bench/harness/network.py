"""The network as the workers load it. Import it after the threads are limited: it brings numpy and OpenCV."""

from __future__ import annotations

from dataclasses import dataclass
from typing import TYPE_CHECKING

from edge.frames.preprocess import Preprocess
from edge.sources.registry import open_source
from shared.engines import make_engine
from shared.network.choice import NAMED_SECONDS, NetworkChoice
from shared.network.find import find_bundle
from shared.process.settings import CommonSettings

if TYPE_CHECKING:
    from collections.abc import Iterator
    from pathlib import Path

    import numpy as np
    from numpy.typing import NDArray

    from bench.harness.system import Setup
    from shared.engines import Engine
    from shared.network.bundle import Bundle
    from shared.network.model import Model
    from shared.network.partition import Partition

_CACHE = CommonSettings.model_fields["cache_dir"].default
"""As edge and cloud."""


@dataclass(frozen=True)
class Network:
    """A bundle, and frames for its network."""

    bundle: Bundle
    setup: Setup

    @property
    def model(self) -> Model:
        return self.bundle.model

    @property
    def partition(self) -> Partition:
        return self.bundle.partition

    def engine(self, name: str | None = None, precision: str | None = None) -> Engine:
        """An engine of this name and precision, by default the setup's. Raises StartupError."""
        return make_engine(
            self.bundle,
            name=name or self.setup.engine or "auto",
            precision=precision or self.setup.precision or "auto",
            threads=self.setup.threads or 0,
            cache_dir=_CACHE,
        )

    def tensors(self) -> Iterator[NDArray[np.float32]]:  # each (1, C, h, w)
        """The source's frames as the network takes them, again from the first when it ends."""
        preprocess = Preprocess(self.model.recipe)
        while True:
            for frame in frames_of(self.setup.source):
                yield self.model.recipe.normalise(preprocess(frame))[None]

    def picture(self, path: Path) -> NDArray[np.uint8]:  # (h, w, 3) RGB
        """One picture file as the edge prepares it."""
        return Preprocess(self.model.recipe)(next(frames_of(str(path))))


def load_network(
    setup: Setup, model: str = "resnet50", *, task: str | None = None, recipe: str | None = None
) -> Network:
    """The network that edge and cloud run, in this process. Raises ModelError."""
    choice = NetworkChoice(model, setup.weights or "auto", task=task, recipe=recipe)
    bundle = find_bundle(choice, _CACHE, patience_s=NAMED_SECONDS)
    return Network(bundle, setup)


def frames_of(source: str) -> Iterator[NDArray[np.uint8]]:  # each (H, W, 3) BGR
    """All frames of a source, as the edge reads them."""
    reader = open_source(source, open_timeout_s=10, read_timeout_s=10)
    reader.open()
    try:
        while (shot := reader.read()) is not None:
            yield shot.picture
    finally:
        reader.close()
