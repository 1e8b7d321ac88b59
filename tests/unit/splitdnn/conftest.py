"""One small network as the public package gives it, and a cloud that runs the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kits.cloud import Server

    from splitdnn import Network


@pytest.fixture(scope="session")
def network() -> Network:
    from splitdnn import load_network

    return load_network("resnet18", "random", engine="torch", cache_dir="")


@pytest.fixture(scope="module")
def cloud() -> Iterator[Server]:
    from kits.cloud import Server

    with Server() as server:
        yield server


@pytest.fixture(scope="session")
def picture() -> np.ndarray:
    """(H, W, 3) uint8 RGB, of another size than the network's, with something to see."""
    rows, columns = np.mgrid[:260, :340]
    return np.stack([rows % 256, columns % 256, (rows + columns) // 3 % 256], axis=2).astype(np.uint8)
