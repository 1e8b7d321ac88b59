"""What a network does in one piece: pictures to tensors, tensors to outputs, outputs to an answer."""

from __future__ import annotations

from typing import TYPE_CHECKING

from shared.network.partition import OUTPUT
from shared.network.recipes.resize import fit_picture
from shared.tasks.registry import make_task
from shared.tasks.spec import Wanted
from splitdnn.checks import check_tensor, check_tensors, check_threshold, contiguous_picture

if TYPE_CHECKING:
    import numpy as np
    from numpy.typing import NDArray

    from shared.engines.half import Tensors
    from shared.engines.load import Network as Loaded
    from shared.network.bundle import Bundle
    from shared.network.recipe import Recipe
    from shared.tasks.base import Answer


class WholeNetwork:
    """The unsplit network, as arrays. May be used from several threads at once."""

    def __init__(self, loaded: Loaded) -> None:
        self._loaded = loaded

    @property
    def name(self) -> str:
        """What the source calls it: `resnet50`, `timm:vit_tiny_patch16_224`, `fastestdet`."""
        return self._loaded.model.name

    @property
    def weights(self) -> str:
        """Where the weights come from: `IMAGENET1K_V1`, `file:resnet50.pth`, `random:0`."""
        return self._loaded.model.weights

    @property
    def fingerprint(self) -> bytes:
        """8 bytes of SHA-256 over graph, weights and recipe. Two sides with equal ones run the same network."""
        return self._loaded.model.fingerprint

    @property
    def recipe(self) -> Recipe:
        """How a picture becomes the network's input."""
        return self._loaded.model.recipe

    @property
    def labels(self) -> tuple[str, ...]:
        """The name of each class; none for a network whose outputs are not classes."""
        return self._loaded.model.labels

    @property
    def bundle(self) -> Bundle:
        """What it was loaded from."""
        return self._loaded.bundle

    @property
    def engine(self) -> dict[str, str | int]:
        """What computes: name, precision, device, threads."""
        return self._loaded.engine.describe()

    def prepare(self, picture: NDArray[np.uint8]) -> NDArray[np.float32]:
        """(H, W, 3) uint8 RGB of any size -> (1, C, h, w) float32, what the network takes. Raises ShapeError."""
        return self.recipe.normalise(self._resize(picture))[None]

    def whole(self, tensor: NDArray[np.float32]) -> Tensors:
        """(B, C, h, w) float32 -> the outputs of the unsplit network, a tuple of (B, …) float32. Raises ShapeError."""
        check_tensor("the network", tensor, self.recipe.tensor_shape)
        run = self._loaded.engine.head(self._loaded.partition.point(OUTPUT))
        return run((tensor,))

    def answer(self, outputs: Tensors, *, top: int = 5, threshold: float | None = None) -> Answer:
        """What the outputs of one frame, a tuple of (1, …) float32, say: of classes the `top` most probable, of boxes those with a
        score above `threshold` (0 … 1, by default the network's own). Places are in pixels of the network's input.

        Raises ShapeError, SettingsError for a threshold that is none, or ContentError if the outputs are not finite or are not
        what the network's task reads.
        """
        check_tensors("an answer", outputs, self._loaded.partition.point(OUTPUT).shapes, one=True)
        wanted = Wanted(top, check_threshold(threshold))
        return make_task(self._loaded.model, wanted).answer(tuple(each[0] for each in outputs))

    def _resize(self, picture: NDArray[np.uint8]) -> NDArray[np.uint8]:
        return fit_picture(contiguous_picture(picture), self.recipe)
