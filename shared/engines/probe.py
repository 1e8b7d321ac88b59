"""The probe pictures that engines are checked with, and the error of a half on them."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from collections.abc import Mapping

    from numpy.typing import NDArray

    from shared.engines.half import Half, Halves, Kind
    from shared.network.partition import SplitPoint
    from shared.network.recipe import Recipe

PICTURES = 2
"""More than one, so that a half compiled for a fixed batch size fails its check."""


class Probe:
    """Compares halves with those of `reference`: torch in float32 on the CPU."""

    def __init__(self, points: Mapping[str, SplitPoint], recipe: Recipe, reference: Halves) -> None:
        self._points = points
        self._pictures = probe_pictures(recipe)
        self._reference = reference

    def error(self, kind: Kind, point: SplitPoint, half: Half) -> float:
        """Relative error ‖y − y'‖ / ‖y'‖ of a half, the larger of the two pictures'; NaN for a NaN or another shape."""
        got = half(self.given(kind, point)).astype(np.float64)
        want = self._crossing(point if kind == "head" else self._points["output"]).astype(np.float64)
        if got.shape != want.shape:
            return float("nan")
        difference, length = (
            np.linalg.norm(rows.reshape(PICTURES, -1), axis=1) for rows in (got - want, want)
        )
        return float(np.max(difference / np.maximum(length, 1e-30)))  # max() would lose a NaN

    def given(self, kind: Kind, point: SplitPoint) -> NDArray[np.float32]:
        """A half's input for the probe pictures: (2, 3, H, W) for a head, (2, *point.shape) for a tail."""
        return self._pictures if kind == "head" else self._crossing(point)

    def _crossing(self, point: SplitPoint) -> NDArray[np.float32]:
        return self._reference.head(point)(self._pictures)


def probe_pictures(recipe: Recipe) -> NDArray[np.float32]:
    """(2, 3, H, W) float32, normalised for the network: shapes, shades and noise, the same in every process."""
    size = recipe.crop
    random = np.random.default_rng(20261122)
    y, x = np.mgrid[0:size, 0:size] / size
    pictures = []
    for number in range(PICTURES):
        shade = 90 * np.sin(7 * (number + 1) * x[..., None] + np.arange(3)) * np.cos(5 * y[..., None])
        disc = 60 * ((x - 0.4) ** 2 + (y - 0.5 - 0.1 * number) ** 2 < 0.06)[..., None]
        noise = random.normal(0, 12, (size, size, 3))
        picture = np.clip(128 + shade + disc + noise, 0, 255).astype(np.uint8)
        pictures.append(recipe.normalise(picture))
    return np.stack(pictures)
