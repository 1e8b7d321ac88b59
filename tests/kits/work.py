"""What the tests of both contracts of `POST /model` check in the work that they give."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np

if TYPE_CHECKING:
    from cloud.bodies.frames import Work
    from shared.network.partition import Partition

MAX_TENSORS = 4
SMALL = "flatten"
"""A split point where little crosses: (512,)."""


def check_work(work: Work, partition: Partition) -> None:
    """What every tail relies on."""
    for tensors, shape in zip(work.crossing, partition.point(work.split_point).shapes, strict=True):
        assert tensors.dtype == np.float32
        assert 1 <= len(tensors) == len(work.crossing[0]) <= MAX_TENSORS
        assert tensors.shape[1:] == shape
        assert np.isfinite(tensors).all()
