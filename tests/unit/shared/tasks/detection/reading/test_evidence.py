"""What the values of outputs tell."""

from __future__ import annotations

import numpy as np

from shared.tasks.detection.reading.evidence import kind_by_places
from shared.tasks.detection.reading.pyramids import Pyramid, centres


def test_places_tell_corners_from_middles_and_x_from_y() -> None:
    for size, strides in (((96, 128), (8, 16, 32)), ((128, 128), (16, 32))):
        middles = centres(size, Pyramid(strides, 1), innermost=False) + np.zeros((2, 1, 1))
        random = np.random.default_rng(0)
        middles = middles + random.normal(0, 3, middles.shape)
        sides = random.uniform(5, 40, middles.shape)
        first, second = middles - sides / 2, middles + sides / 2
        written = {
            "xyxy": (first, second),
            "yxyx": (first[..., ::-1], second[..., ::-1]),
            "cxcywh": (middles, sides),
            "xywh": (first, sides),
        }
        for kind, parts in written.items():
            boxes = np.concatenate(parts, axis=2)
            assert kind_by_places(boxes, size) == kind, (size, kind)
            if kind in ("xyxy", "cxcywh"):
                assert kind_by_places(boxes[:, ::-1], size) == kind, "no grid, so the usual one"
