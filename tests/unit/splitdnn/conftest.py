"""One small network as the public package gives it, and a cloud that runs the same."""

from __future__ import annotations

from typing import TYPE_CHECKING

import numpy as np
import pytest

if TYPE_CHECKING:
    from collections.abc import Iterator

    from kits.cloud import Server

    from shared.network.bundle import Bundle
    from splitdnn import Network


@pytest.fixture(scope="session")
def network(resnet18_bundle: Bundle) -> Network:
    """In float32, so that nothing is timed and answers can be compared."""
    from splitdnn import load_network

    return load_network(resnet18_bundle.folder, precision="float32", cache_dir="")


@pytest.fixture(scope="module")
def cloud(resnet18_bundle: Bundle) -> Iterator[Server]:
    from kits.cloud import Server

    with Server(model=str(resnet18_bundle.folder), weights="auto", precision="float32") as server:
        yield server


@pytest.fixture(scope="session")
def picture() -> np.ndarray:
    """(H, W, 3) uint8 RGB, of another size than the network's, with something to see."""
    rows, columns = np.mgrid[:260, :340]
    return np.stack([rows % 256, columns % 256, (rows + columns) // 3 % 256], axis=2).astype(np.uint8)
